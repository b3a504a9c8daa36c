"""The words in the charts, in both languages."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Texts:
    """``titles`` by chart. A division or scenario without a name is shown by its code."""

    titles: dict[str, str]
    words: dict[str, str]
    divisions: dict[str, str]
    scenarios: dict[str, str]

    def division(self, code: str | None) -> str:
        return self.divisions.get(code or "", code or "–")

    def scenario(self, name: str) -> str:
        return self.scenarios.get(name, name.replace("_", " "))

    def station(self, code: str) -> str:
        """Return a station's district and its number there."""
        division, _, number = code.partition("-")
        return f"{self.division(division)} {number}".strip()


@cache
def texts(language: str) -> Texts:
    file = files("consumers.analytics").joinpath(f"texts/{language}.toml")
    found: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    return Texts(**found)
