"""How many requests may wait for something, or hold it, at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anyio import CapacityLimiter, WouldBlock

from ledger.errors import Unavailable


class Admission:
    """Admits so many at a time and refuses the rest: no one queues for a place."""

    def __init__(self, places_max: int, refusal: str) -> None:
        """``refusal`` is the message to callers for whom there is no place."""
        self._places = CapacityLimiter(places_max)
        self._refusal = refusal

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Unavailable: all are taken.
        """
        borrower = object()
        try:
            self._places.acquire_on_behalf_of_nowait(borrower)
        except WouldBlock:
            raise Unavailable(self._refusal) from None
        try:
            yield
        finally:
            self._places.release_on_behalf_of(borrower)
