"""Normalisation of text that people type or that other systems' files hold.

Pages, API, imports and the checks on free text all use these functions, so that the same input is
the same value wherever it comes in. Which characters are accepted is decided by the ranges below
and not by the interpreter's Unicode tables: a name in a script block that Unicode assigns next year
is accepted today, and on every Python alike.
"""

from __future__ import annotations

import re
import unicodedata

MIDDLE_DOT = "·"

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
"""Ranges of Han characters, for a character class: 〇, extension A, the unified block,
compatibility ideographs, and planes 2 and 3, which Unicode keeps for ideographs (§ 2.8)."""

_SPACES = "\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_HYPHENS = "\\-\u058a\u2010-\u2015\u2043\u207b\u2212\u2e3a\u2e3b\ufe31\ufe32\ufe58\ufe63\uff0d"
_MIDDLE_DOTS = "\u0387\u16eb\u2022\u2027\u2219\u22c5\u2e31\u2e33\u30fb\ua78f\uff65"
_FULL_STOPS = "\uff0e\ufe52"
"""Wide and small full stops, which input methods give for a name's middle dot."""

_KEPT_WIDE = re.compile("([！（），：；？～])")
"""Chinese punctuation that is wide by nature and not a wide form of something else."""
_ANY_SPACE = re.compile(f"[{_SPACES}]")
_ANY_DOT = re.compile(f"[{_MIDDLE_DOTS}]")
_NAME_DOT = re.compile(f"[{_SPACES}]*[{MIDDLE_DOT}{_MIDDLE_DOTS}{_FULL_STOPS}][{_SPACES}]*")
_LEFT_OUT_OF_CODES = re.compile(f"[{_SPACES}{_HYPHENS}]")
_ONE_READING = str.maketrans("OIL", "011")

_UNSEEN = re.compile(
    "["
    "\u0000-\u001f\u007f-\u009f"  # control characters
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # fillers, joiners, selectors, marks
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"  # of direction, ends of lines, blanks
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff"  # surrogates
    "\ue000-\uf8ff\U000f0000-\U0010ffff"  # private use: another character on every machine
    "\ufdd0-\ufdef\ufffe\uffff"  # noncharacters
    "]|[\U0001fffe-\U0001ffff\U0002fffe-\U0002ffff\U0003fffe-\U0003ffff]"
)
_CONTROL_NAMES = {"\t": "tab", "\n": "line feed", "\r": "carriage return", "\0": "null"}


def line(text: str) -> str:
    """Return one line of text, such as an address, in its written form.

    Every space becomes U+0020 and those around the text go; compatibility forms, wide digits and
    letters among them, become what they stand for; Chinese punctuation stays as wide as it is; dots
    that stand for the middle dot become U+00B7.
    """
    if text.isascii():
        return text.strip(" ")
    parts = _KEPT_WIDE.split(_ANY_SPACE.sub(" ", text))
    parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
    return _ANY_DOT.sub(MIDDLE_DOT, "".join(parts)).strip(" ")


def name(text: str) -> str:
    """Return a person's name in its written form: as :func:`line`, without spaces between Han
    characters or around the middle dot, for which a wide full stop may be typed."""
    joined = _ANY_SPACE.sub("", line(_NAME_DOT.sub(MIDDLE_DOT, text)))
    return unicodedata.normalize("NFC", joined)


def code(text: str) -> str:
    """Return a number that people copy from a document: digits and capitals, without spaces and
    hyphens. ``x`` becomes ``X``, wide characters plain ones."""
    if not (text.isascii() and text.isalnum()):
        joined = _LEFT_OUT_OF_CODES.sub("", unicodedata.normalize("NFKC", text))
        text = unicodedata.normalize("NFC", joined)
    return text.upper() if text.isascii() else text


def printed_code(text: str) -> str:
    """Return a permit or receipt number: as :func:`code`, with O read as 0 and I and L as 1, which
    the alphabet of these numbers leaves no other reading."""
    return code(text).translate(_ONE_READING)


def unseen(text: str) -> str | None:
    """Return why ``text`` is not printable, naming its first such character; ``None`` if it is.

    Control characters, characters without width, marks of direction, and code points that stand for
    no character or for another one on every machine.
    """
    if (text.isascii() and text.isprintable()) or not (found := _UNSEEN.search(text)):
        return None
    character = found[0]
    fallback = _CONTROL_NAMES.get(character) or _kind(character)
    described = unicodedata.name(character, fallback).lower()
    return f"must not contain U+{ord(character):04X} ({described})"


def _kind(character: str) -> str:
    match unicodedata.category(character):
        case "Cc":
            return "control character"
        case "Co":
            return "private-use character"
        case _:
            return "not a character"
