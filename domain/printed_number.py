"""Random numbers that are printed and typed again, with a check character.

Digits and capitals without I, L, O and U, which are misread or form words. The check character is
ISO/IEC 7064 MOD 37,36: it detects every single wrong character and all but one in some six hundred
swaps of neighbours. A number encodes nothing about the person.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import text

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ISO_7064 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ISO_7064)}


def check_character(body: str) -> str:
    """Compute the check character of ISO/IEC 7064, hybrid system MOD 37,36."""
    product = 36
    for character in body:
        total = (product + _VALUES[character]) % 36 or 36
        product = total * 2 % 37
    return _ISO_7064[(37 - product) % 36]


class PrintedNumber:
    """A kind of number: ``body_length`` random characters of 5 bits, and the check character."""

    def __init__(self, body_length: int) -> None:
        self._body_length = body_length
        self._shape = re.compile(f"[{ALPHABET}]{{{body_length + 1}}}")

    def is_valid(self, number: str) -> bool:
        """Return whether this is the text of a number of this kind, assigned or not."""
        return bool(self._shape.fullmatch(number)) and check_character(number[:-1]) == number[-1]

    def parse(self, typed: str) -> str | None:
        """Return the number that was typed with spaces, hyphens, small or wide characters, O for 0,
        I or L for 1; ``None`` if it cannot be a number of this kind."""
        number = text.printed_code(typed)
        return number if self.is_valid(number) else None

    def draw(self, random_bits: Callable[[int], int]) -> str:
        """Draw a number from a source of randomness.

        Args:
            random_bits: Returns for ``k`` an integer below 2^k.
        """
        while True:
            bits = random_bits(5 * self._body_length)
            shifts = range(0, 5 * self._body_length, 5)
            body = "".join([ALPHABET[bits >> shift & 31] for shift in shifts])
            check = check_character(body)
            if check in ALPHABET:
                return body + check
