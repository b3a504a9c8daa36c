"""Sealing that gives the same bytes each time: one holder's key and one nonce.

For golden files and comparisons alone. Two texts under one nonce give the key's secrets away.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from domain.personal import ERASED
from ledger.crypto import randomness
from ledger.crypto.holder_keys import HolderKey

HOLDER_ID = "holder-1"
KEY = HolderKey(HOLDER_ID, bytes(range(64, 96)))
KEYS = {HOLDER_ID: KEY}
NO_KEYS = {HOLDER_ID: ERASED}
"""After the holder was erased."""


class SameBits:
    """Instead of random ones."""

    def take(self, n_bytes: int) -> bytes:
        return bytes(n % 256 for n in range(n_bytes))


@contextmanager
def same_nonce() -> Iterator[None]:
    """What is sealed in here is sealed alike each time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(randomness, "source", SameBits())
        yield


def read(mapper, *stored, keys=KEYS):
    """The events, opened with these keys."""
    return mapper.open([mapper.parse(event) for event in stored], keys)
