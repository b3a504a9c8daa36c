"""The charts' style: the pages' colours, following the reader's light or dark scheme."""

from __future__ import annotations

from typing import Any, NamedTuple

FONT = (
    "system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Source Han Sans SC', 'Noto Sans CJK SC',"
    " 'Microsoft YaHei', sans-serif"
)
TEXT_PX = 13


class Colour(NamedTuple):
    """A colour in the light and in the dark scheme."""

    light: str
    dark: str


COLOURS = {
    "ink": Colour("#15211f", "#edf2ee"),
    "soft": Colour("#4b5955", "#a9b8b2"),
    "line": Colour("#d8d3c4", "#2a3936"),
    "lake": Colour("#0d5c63", "#7fcbc7"),
    "mist": Colour("#8fb9b5", "#3f7f7c"),
    "gold": Colour("#a8772a", "#e0b765"),
    "bad": Colour("#a42a1a", "#ff9c88"),
    "grey": Colour("#8c8f83", "#6d7f79"),
}
INK, SOFT, LINE, LAKE, MIST, GOLD, BAD, GREY = (colour.light for colour in COLOURS.values())


def configuration() -> dict[str, Any]:
    """Return the Vega-Lite configuration of all charts."""
    text = {"font": FONT, "fontSize": TEXT_PX, "fontWeight": "normal"}
    axis = {
        "labelFont": FONT,
        "labelFontSize": TEXT_PX,
        "labelColor": SOFT,
        "titleFont": FONT,
        "titleFontSize": TEXT_PX,
        "titleFontWeight": "normal",
        "titleColor": SOFT,
        "gridColor": LINE,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "titlePadding": 10,
    }
    return {
        "background": None,
        "padding": {"left": 12, "right": 8, "top": 6, "bottom": 6},
        "font": FONT,
        "view": {"stroke": None},
        "axis": axis,
        "legend": {
            "labelFont": FONT,
            "labelFontSize": TEXT_PX,
            "labelColor": SOFT,
            "orient": "top",
            "direction": "horizontal",
            "title": None,
            "symbolType": "square",
            "symbolStrokeWidth": 0,
            "offset": 8,
            "columnPadding": 12,
        },
        "text": {**text, "color": SOFT},
        "title": {
            "font": FONT,
            "fontSize": 16,
            "fontWeight": 600,
            "color": INK,
            "anchor": "start",
            "offset": 14,
        },
        "bar": {"cornerRadiusEnd": 3},
    }


def adaptive(svg: str) -> str:
    """Replace the colours of an SVG by variables that follow the reader's scheme."""
    for name, colour in COLOURS.items():
        svg = svg.replace(f'"{colour.light}"', f'"var(--{name})"')
    light = "".join(f"--{name}:{colour.light};" for name, colour in COLOURS.items())
    dark = "".join(f"--{name}:{colour.dark};" for name, colour in COLOURS.items())
    style = f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    head, rest = svg.split(">", 1)
    return f"{head}>{style}{rest}"
