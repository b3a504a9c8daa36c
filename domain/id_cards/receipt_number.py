"""Receipt numbers (领证回执号), which give access to the progress of an application.

Fifteen random characters and a check character: 75 random bits cannot be guessed, however many
receipts there are. Four longer than a permit number, so that neither is mistaken for the other.
"""

from __future__ import annotations

from domain.printed_number import PrintedNumber

_KIND = PrintedNumber(body_length=15)

is_valid = _KIND.is_valid
parse = _KIND.parse
draw = _KIND.draw
