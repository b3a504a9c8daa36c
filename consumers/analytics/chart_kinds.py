"""The charts: each turns an answer into a Vega-Lite chart, or ``None`` if there is nothing to draw.

A withheld number is not drawn; the table beside the chart marks it as withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import altair as alt

from .chart_texts import Texts
from .chart_theme import BAD, GOLD, GREY, INK, LAKE, MIST
from .questions import Table

Rows = list[dict[str, Any]]
ROW_PX, ROWS_MAX = 30, 12
MONTHS = 12
HEIGHT_PX = 220


@dataclass(frozen=True, slots=True)
class Canvas:
    """``width_px`` is the width of the whole chart; ``is_narrow`` is set for a phone's screen."""

    texts: Texts
    width_px: int
    is_narrow: bool
    today: date


Draw = Callable[[Rows, Canvas], alt.Chart | alt.LayerChart | None]


@dataclass(frozen=True, slots=True)
class ChartKind:
    name: str
    question: str
    draw: Draw


def rows_of(table: Table) -> Rows:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _in_force(rows: Rows, canvas: Canvas) -> alt.LayerChart | None:
    now = [row for row in rows if row["day"] == canvas.today.isoformat() and row["in_force"]]
    values = [
        {"place": canvas.texts.division(row["division"]), "value": row["in_force"]}
        for row in _busiest(now, "in_force")
    ]
    if not values:
        return None
    base = alt.Chart(_data(values)).encode(
        y=_names("place", [value["place"] for value in values]),
        x=alt.X("value:Q", axis=None),
    )
    bars = base.mark_bar(color=LAKE, height=16)
    labels = base.mark_text(align="left", dx=6, color=INK).encode(
        text=alt.Text("value:Q", format=",")
    )
    return _sized(bars + labels, canvas, len(values) * ROW_PX)  # type: ignore[no-any-return]


def _adoption(rows: Rows, canvas: Canvas) -> alt.LayerChart | None:
    known = [row for row in rows if row["claimed_share"] is not None]
    if not known:
        return None
    first, last = min(row["month"] for row in known), max(row["month"] for row in known)
    now = _busiest([row for row in known if row["month"] == last], "in_force")
    then = {row["division"]: row["claimed_share"] for row in known if row["month"] == first}
    words = canvas.texts.words
    values = [
        {
            "place": canvas.texts.division(row["division"]),
            "now": row["claimed_share"],
            "then": then.get(row["division"]) if first != last else None,
        }
        for row in now
    ]
    return _dumbbells(values, ("then", "now"), (words["then"], words["now"]), canvas, percent=True)


def _delivery(rows: Rows, canvas: Canvas) -> alt.LayerChart | None:
    busiest = _busiest([row for row in rows if row["p50_days"] is not None], "cards")
    words = canvas.texts.words
    values = [
        {
            "place": canvas.texts.station(row["station"]),
            "p50": row["p50_days"],
            "p90": row["p90_days"],
        }
        for row in busiest
    ]
    values.sort(key=lambda value: value["p50"])
    return _dumbbells(values, ("p50", "p90"), (words["p50"], words["p90"]), canvas)


def _endorsements(rows: Rows, canvas: Canvas) -> alt.Chart | None:
    kinds = {"on_time": LAKE, "in_grace": MIST, "late": GOLD, "lapsed": BAD, "pending": GREY}
    recent = sorted(rows, key=lambda row: row["month"])[-MONTHS:]
    return _columns(recent, kinds, canvas, stack="normalize", title="share_of_month")


def _losses(rows: Rows, canvas: Canvas) -> alt.Chart | None:
    return _columns(rows[-MONTHS:], {"lost": BAD, "reissued": LAKE}, canvas, stack=None)


def _due(rows: Rows, canvas: Canvas) -> alt.Chart | None:
    bands = {"due_30": LAKE, "due_60": MIST, "due_90": GREY}
    values = []
    for row in rows:
        upto = [row[f"due_in_{days}_days"] for days in (30, 60, 90)]
        if upto[2]:
            known = [count or 0 for count in upto]
            place = canvas.texts.division(row["division"])
            parts = (known[0], known[1] - known[0], known[2] - max(known[1], known[0]))
            values += _parts(place, dict(zip(bands, parts, strict=True)))
    return _stacked(values, bands, canvas)


def _checks(rows: Rows, canvas: Canvas) -> alt.Chart | None:
    values: Rows = []
    texts = canvas.texts
    for row in rows:
        place = f"{texts.scenario(row['scenario'])} · {texts.words.get(row['track'], row['track'])}"
        values += _parts(place, {row["outcome"]: row["checks"] or 0})
    return _stacked(values, {"effective": LAKE, "not_effective": BAD}, canvas)


def _throughput(rows: Rows, canvas: Canvas) -> alt.Chart | None:
    kinds = {"issued": LAKE, "endorsed": MIST, "cards": GOLD, "other": GREY}
    values: Rows = []
    for row in rows:
        place = canvas.texts.station(row["station"])
        values += _parts(place, {kind: row[kind] or 0 for kind in kinds})
    return _stacked(values, kinds, canvas)


KINDS: tuple[ChartKind, ...] = (
    ChartKind("in_force", "in_force_by_district", _in_force),
    ChartKind("adoption", "electronic_adoption", _adoption),
    ChartKind("endorsements", "endorsement_outcomes", _endorsements),
    ChartKind("due", "endorsements_due", _due),
    ChartKind("delivery", "delivery_times", _delivery),
    ChartKind("losses", "losses", _losses),
    ChartKind("checks", "checks_answered", _checks),
    ChartKind("throughput", "station_throughput", _throughput),
)


# -- shapes ----------------------------------------------------------------------------------------


def _data(values: Rows) -> alt.Data:
    return alt.Data(values=values)  # type: ignore[no-untyped-call]


def _busiest(rows: Iterable[Mapping[str, Any]], by: str) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: -(row[by] or 0))[:ROWS_MAX]


def _names(field: str, order: Sequence[str]) -> alt.Y:
    return alt.Y(
        f"{field}:N", sort=list(dict.fromkeys(order)), title=None, axis=alt.Axis(labelLimit=200)
    )


def _legend(kinds: Mapping[str, str], canvas: Canvas) -> alt.Color:
    names = [canvas.texts.words[kind] for kind in kinds]
    columns = 2 if canvas.is_narrow else len(names)
    scale = alt.Scale(domain=names, range=list(kinds.values()))
    return alt.Color("kind:N", scale=scale, legend=alt.Legend(columns=columns))


def _sized(chart: Any, canvas: Canvas, height_px: int) -> Any:
    return chart.properties(
        width=canvas.width_px,
        height=height_px,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )


def _parts(place: str, counts: Mapping[str, int]) -> Rows:
    """Return one value for each kind; :func:`_stacked` adds the kinds' names."""
    return [{"place": place, "what": kind, "value": count} for kind, count in counts.items()]


def _stacked(values: Rows, kinds: Mapping[str, str], canvas: Canvas) -> alt.Chart | None:
    """Draw one bar for each place, the longest first, divided by kind."""
    totals: dict[str, int] = {}
    for value in values:
        totals[value["place"]] = totals.get(value["place"], 0) + value["value"]
    order = sorted((place for place in totals if totals[place]), key=lambda place: -totals[place])
    order = order[:ROWS_MAX]
    if not order:
        return None
    ranks = {kind: rank for rank, kind in enumerate(kinds)}
    words = canvas.texts.words
    parts = [
        {**value, "kind": words[value["what"]], "rank": ranks[value["what"]]}
        for value in values
        if value["place"] in order and value["what"] in kinds and value["value"]
    ]
    chart = (
        alt.Chart(_data(parts))
        .mark_bar(height=16, cornerRadiusEnd=0)
        .encode(
            y=_names("place", order),
            x=alt.X("sum(value):Q", title=None, axis=alt.Axis(tickCount=4, format=",~f")),
            color=_legend(kinds, canvas),
            order=alt.Order("rank:Q"),
        )
    )
    return _sized(chart, canvas, len(order) * ROW_PX)  # type: ignore[no-any-return]


def _columns(
    rows: Rows,
    kinds: Mapping[str, str],
    canvas: Canvas,
    *,
    stack: Literal["normalize"] | None,
    title: str | None = None,
) -> alt.Chart | None:
    """Draw one column for each month: kinds are stacked, or side by side without ``stack``."""
    words = canvas.texts.words
    values = [
        {"month": row["month"][:7], "kind": words[kind], "rank": rank, "value": row[kind]}
        for row in rows
        for rank, kind in enumerate(kinds)
    ]
    if not any(value["value"] for value in values):
        return None
    months = sorted({value["month"] for value in values})
    shown = months[:: 2 if canvas.is_narrow else 1]
    x = alt.X(
        "month:O",
        title=None,
        axis=alt.Axis(labelAngle=0, values=shown, labelExpr="slice(datum.label, 2)"),
        scale=alt.Scale(paddingInner=0.35, paddingOuter=0.1),
    )
    y_axis = alt.Axis(tickCount=4, format=".0%" if stack else ",~f")
    y = alt.Y("value:Q", stack=stack or False, title=words[title] if title else None, axis=y_axis)
    chart = alt.Chart(_data(values)).mark_bar(cornerRadiusEnd=0)
    encoded = chart.encode(x=x, y=y, color=_legend(kinds, canvas), order=alt.Order("rank:Q"))
    if stack is None:
        order = [words[kind] for kind in kinds]
        encoded = encoded.encode(xOffset=alt.XOffset("kind:N", sort=order))
    return _sized(encoded, canvas, HEIGHT_PX)  # type: ignore[no-any-return]


def _dumbbells(
    values: Rows,
    ends: tuple[str, str],
    names: tuple[str, str],
    canvas: Canvas,
    *,
    percent: bool = False,
) -> alt.LayerChart | None:
    """Draw a line from one value to another for each place."""
    if not values:
        return None
    order = [value["place"] for value in values]
    axis = alt.Axis(tickCount=4, format=".0%" if percent else ",~f")
    key = "share" if percent else "days"
    title = canvas.texts.words[key]
    x = alt.X(f"{ends[0]}:Q", title=title, axis=axis, scale=alt.Scale(zero=True))
    lines = [value for value in values if value[ends[0]] is not None]
    rule = (
        alt.Chart(_data(lines))
        .mark_rule(strokeWidth=3, color=MIST)
        .encode(y=_names("place", order), x=x, x2=f"{ends[1]}:Q")
    )
    dots = [
        {"place": value["place"], "kind": name, "value": value[end]}
        for value in values
        for end, name in zip(ends, names, strict=True)
        if value[end] is not None
    ]
    scale = alt.Scale(domain=list(names), range=[GOLD, LAKE])
    point = (
        alt.Chart(_data(dots))
        .mark_circle(size=110, opacity=1)
        .encode(
            y=_names("place", order),
            x=alt.X("value:Q", title=title, axis=axis, scale=alt.Scale(zero=True)),
            color=alt.Color("kind:N", scale=scale, legend=alt.Legend(symbolType="circle")),
        )
    )
    return _sized(rule + point, canvas, len(order) * ROW_PX)  # type: ignore[no-any-return]
