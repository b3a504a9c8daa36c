"""Permit numbers: opaque, printable, with a check character.

Eleven random characters and one check character, ISO 7064 MOD 37,36, over digits and capitals
without I, L, O and U, which are misread or form words. It detects every single wrong character and
all but one in some six hundred swaps of neighbours. The number encodes nothing about the person.
55 random bits: for a hundred million permits a new number is free with a chance of 1 - 3·10⁻⁹.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import text

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BODY_LENGTH = 11
BODY_BITS = 5 * BODY_LENGTH
_ISO_7064 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ISO_7064)}
_SHAPE = re.compile(f"[{ALPHABET}]{{{BODY_LENGTH + 1}}}")


def check_character(body: str) -> str:
    """ISO/IEC 7064, hybrid system MOD 37,36."""
    product = 36
    for character in body:
        total = (product + _VALUES[character]) % 36 or 36
        product = total * 2 % 37
    return _ISO_7064[(37 - product) % 36]


def is_valid(number: str) -> bool:
    """Whether this is the text of a permit number; not whether it was ever issued."""
    return bool(_SHAPE.fullmatch(number)) and check_character(number[:-1]) == number[-1]


def parse(typed: str) -> str | None:
    """Return the number that was typed with spaces, hyphens, small or wide characters, O for 0, I
    or L for 1; ``None`` if it can't be a number."""
    number = text.printed_code(typed)
    return number if is_valid(number) else None


def draw(random_bits: Callable[[int], int]) -> str:
    """A new number from a source of randomness: ``random_bits(k)`` gives an integer below 2^k."""
    while True:
        bits = random_bits(BODY_BITS)
        body = "".join([ALPHABET[bits >> shift & 31] for shift in range(0, BODY_BITS, 5)])
        check = check_character(body)
        if check in ALPHABET:
            return body + check
