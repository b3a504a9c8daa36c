"""Which language a page is in: the stored choice, else what the browser asks for, else English."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "zh")
COOKIE = "language"
TAGS = {"en": "en", "zh": "zh-CN"}
_RANGES_MAX = 20


@dataclass(frozen=True, slots=True)
class Language:
    """``texts`` by section and key; ``tag`` as in BCP 47."""

    code: str
    tag: str
    texts: Mapping[str, Any]


def load() -> dict[str, Language]:
    """All catalogues, by code."""
    return {code: Language(code, TAGS[code], _catalogue(code)) for code in LANGUAGES}


def _catalogue(code: str) -> dict[str, Any]:
    text = files("web").joinpath(f"texts/{code}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def preferred(stored: str | None, accepted: str) -> str:
    """The language to use; ``accepted`` as in ``Accept-Language`` (RFC 9110 §12.5.4)."""
    if stored in LANGUAGES:
        return stored
    best, best_weight = LANGUAGES[0], 0.0
    for part in accepted.split(",")[:_RANGES_MAX]:
        tag, _, parameter = part.strip().partition(";")
        code, weight = tag.strip().lower().partition("-")[0], _weight(parameter)
        if code in LANGUAGES and weight > best_weight:
            best, best_weight = code, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
