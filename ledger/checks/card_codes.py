"""The code on a card's face, computed from the card's number and serial with a key.

Permit numbers and serials can be learnt without the card, from a register or a log; the code
cannot. So a check that brings the code is of a card that was seen.
"""

from __future__ import annotations

import hmac
from itertools import count

from domain import card_code

KEY_BYTES = 32


class CardCodes:
    """Computes codes; nothing is stored."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a card-code key has {KEY_BYTES} bytes")
        self._key = key

    def of(self, permit_number: str, card_serial: int) -> str:
        """The code of a card: 8 characters of the alphabet of printed numbers."""
        attempts = count()

        def bits(k: int) -> int:
            """Of a keyed digest, another one each time: some have no check character."""
            message = f"{permit_number}\0{card_serial}\0{next(attempts)}".encode()
            return int.from_bytes(hmac.digest(self._key, message, "sha256")) >> (256 - k)

        return card_code.draw(bits)

    def is_on(self, typed: str, permit_number: str, card_serial: int) -> bool:
        """Whether what was typed is the code on this card; compared in constant time."""
        code = card_code.parse(typed) or ""
        return hmac.compare_digest(code.encode(), self.of(permit_number, card_serial).encode())
