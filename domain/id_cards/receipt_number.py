"""Receipt numbers (领证回执号), which give access to the progress of an application.

Fifteen random characters and a check character, of the same alphabet as permit numbers and four
longer, so that neither is mistaken for the other. 75 random bits can't be guessed, however many
receipts there are. The number encodes nothing about the person.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from domain import text
from domain.permit_number import ALPHABET, check_character

BODY_LENGTH = 15
BODY_BITS = 5 * BODY_LENGTH
_SHAPE = re.compile(f"[{ALPHABET}]{{{BODY_LENGTH + 1}}}")


def is_valid(number: str) -> bool:
    """Whether this is the text of a receipt number; not whether it was ever given out."""
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
