"""Permit numbers: eleven random characters and a check character.

55 random bits: among a hundred million permits a new number is free with probability 1 - 3·10⁻⁹.
"""

from __future__ import annotations

from .printed_number import PrintedNumber

_KIND = PrintedNumber(body_length=11)

is_valid = _KIND.is_valid
parse = _KIND.parse
draw = _KIND.draw
