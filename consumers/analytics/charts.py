"""Charts as SVG, in both languages, for narrow and wide screens.

A chart is drawn again only after its data has changed. Files are named by their content, so that
they can be cached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from .chart_texts import LANGUAGES, texts
from .questions import Table

if TYPE_CHECKING:
    from .chart_kinds import ChartKind

WIDTHS_PX = {"narrow": 330, "wide": 560}
DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Drawn:
    """``files`` by file name; ``by_name`` maps chart → language → width → file name."""

    files: dict[str, bytes] = field(default_factory=dict)
    by_name: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


class Charts:
    """Keeps the last drawing of each chart; draws one chart per call, to keep calls short."""

    def __init__(self) -> None:
        self._drawn: dict[str, tuple[Table, date, Drawn]] = {}

    @property
    def all_drawn(self) -> Drawn:
        """The last drawing of each chart, except of charts without data."""
        found = Drawn()
        for _, _, drawn in self._drawn.values():
            found.files.update(drawn.files)
            found.by_name.update(drawn.by_name)
        return found

    def draw_next(self, tables: Mapping[str, Table], today: date) -> bool:
        """Draw the chart that was drawn longest ago among those whose answer has changed.

        Returns:
            ``False`` if all charts are up to date.
        """
        from .chart_kinds import KINDS  # noqa: PLC0415  the library is slow to import

        stale = [
            kind
            for kind in KINDS
            if self._drawn.get(kind.name, (None, None))[:2] != (tables[kind.question], today)
        ]
        order = list(self._drawn)
        stale.sort(key=lambda kind: order.index(kind.name) if kind.name in order else -1)
        if not stale:
            return False
        kind = stale[0]
        self._drawn.pop(kind.name, None)  # reinserted at the end of the order
        table = tables[kind.question]
        self._drawn[kind.name] = (table, today, draw(kind, table, today))
        return True


def draw(kind: ChartKind, table: Table, today: date) -> Drawn:
    drawn = Drawn()
    for language in LANGUAGES:
        for width, svg in _in(kind, table, today, language):
            content = svg.encode()
            digest = hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]
            name = f"{kind.name}.{language}.{width}.{digest}.svg"
            drawn.files[name] = content
            drawn.by_name.setdefault(kind.name, {}).setdefault(language, {})[width] = name
    return drawn


def _in(kind: ChartKind, table: Table, today: date, language: str) -> Iterator[tuple[str, str]]:
    from .chart_theme import adaptive  # noqa: PLC0415

    for width, width_px in WIDTHS_PX.items():
        if (svg := svg_of(kind, table, today, language, width_px)) is not None:
            yield width, adaptive(svg)


def svg_of(
    kind: ChartKind,
    table: Table,
    today: date,
    language: str,
    width_px: int,
    *,
    titled: bool = False,
) -> str | None:
    """Return one chart in light colours; ``None`` if there is nothing to show."""
    import vl_convert  # noqa: PLC0415  slow to import

    from .chart_kinds import Canvas, rows_of  # noqa: PLC0415
    from .chart_theme import configuration  # noqa: PLC0415

    of = texts(language)
    canvas = Canvas(of, width_px, width_px < WIDTHS_PX["wide"], today)
    chart = kind.draw(rows_of(table), canvas)
    if chart is None:
        return None
    specification: dict[str, Any] = chart.to_dict(validate=False)
    if titled:
        specification["title"] = of.titles[kind.name]
    specification["config"] = configuration()
    svg: str = vl_convert.vegalite_to_svg(specification)
    return svg
