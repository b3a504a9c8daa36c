"""Card codes: seven characters on a card's face and a check character.

They are in no log and no view: knowing one takes seeing the card, or the key. 35 bits
cannot be guessed at the rate that checks of one permit are limited to.
"""

from __future__ import annotations

from .printed_number import PrintedNumber

_KIND = PrintedNumber(body_length=7)

parse = _KIND.parse
draw = _KIND.draw
