"""Random bits of the operating system, fetched in blocks.

One system call for each number would cost several times what a command costs otherwise: the call
releases the interpreter's lock, and has to wait for it afterwards.
"""

from __future__ import annotations

import os
from threading import Lock

BLOCK_BYTES = 65_536


class RandomBits:
    """As unpredictable as :mod:`secrets`; safe for many threads and for forked processes."""

    def __init__(self) -> None:
        # Guards the block. Held while bytes are copied, or a new block is fetched.
        self._lock = Lock()
        self._block = memoryview(bytearray())
        self._used = 0
        os.register_at_fork(after_in_child=self._forget)

    @property
    def block(self) -> bytes:
        """The current block; what was returned of it is zeros."""
        return bytes(self._block)

    def take(self, n_bytes: int) -> bytes:
        """``n_bytes`` that are returned once, and not kept here: they may be a key."""
        with self._lock:
            if self._used + n_bytes > len(self._block):
                fetched = os.urandom(max(n_bytes, BLOCK_BYTES))
                self._block, self._used = memoryview(bytearray(fetched)), 0
            part = self._block[self._used : self._used + n_bytes]
            self._used += n_bytes
            taken = part.tobytes()
            part[:] = bytes(n_bytes)
            return taken

    def bits(self, k: int) -> int:
        """An integer below 2^k."""
        n_bytes = (k + 7) // 8
        return int.from_bytes(self.take(n_bytes)) >> (8 * n_bytes - k)

    def _forget(self) -> None:
        self._lock = Lock()
        self._block, self._used = memoryview(bytearray()), 0


source = RandomBits()
"""The one of this process."""
