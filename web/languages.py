"""The language of a page: the stored choice, else the browser's preference, else English."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from langcodes import closest_match
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

LANGUAGES = ("en", "zh")
COOKIE = "language"
TAGS = {"en": "en", "zh": "zh-CN"}
_ACCEPTED_LENGTH_MAX = 1000
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_SUPPORTED = (*LANGUAGES, "zh-Hant")
"""The pages have no traditional characters, but simplified ones are nearer than English."""


@dataclass(frozen=True, slots=True)
class Language:
    """``texts`` by section and key; ``tag`` as in BCP 47."""

    code: str
    tag: str
    texts: Mapping[str, Any]


def load() -> dict[str, Language]:
    """Load all catalogues, by code."""
    return {code: Language(code, TAGS[code], _catalogue(code)) for code in LANGUAGES}


def _catalogue(code: str) -> dict[str, Any]:
    text = files("web").joinpath(f"texts/{code}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def preferred(stored: str | None, accepted: str) -> str:
    """Choose a language; ``accepted`` as in ``Accept-Language`` (RFC 9110 §12.5.4).

    The accepted one with the highest weight, and of equals the first; a weight of 0 excludes one.
    """
    if stored in LANGUAGES:
        return stored
    weights: dict[str, float] = {}
    ranges = parse_accept_header(accepted[:_ACCEPTED_LENGTH_MAX], LanguageAccept)
    for tag, weight in sorted(ranges, key=lambda each: each[0] == "*"):
        for code in LANGUAGES if tag == "*" else filter(None, [_ours(tag)]):
            if tag != "*" or code not in weights:
                weights[code] = max(weight, weights.get(code, 0.0))
    wanted = max(weights, key=lambda code: weights[code], default=LANGUAGES[0])
    if weights.get(wanted, 1.0) > 0:
        return wanted
    return next((code for code in LANGUAGES if code not in weights), LANGUAGES[0])


def _ours(tag: str) -> str | None:
    """Return our language nearest to another, by CLDR's distances: Chinese for the languages of
    China that are written in Chinese characters."""
    return _nearest(tag.replace("_", "-").partition("-")[0].lower())


@lru_cache(maxsize=1024)
def _nearest(language: str) -> str | None:
    """Match a language without script and region: langcodes caches every tag, without a bound."""
    if not _LANGUAGE.fullmatch(language):
        return None
    try:
        found, _distance = closest_match(language, _SUPPORTED)
    except ValueError:
        return None
    code = found.partition("-")[0]
    return code if code in LANGUAGES else None
