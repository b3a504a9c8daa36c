"""A store of key-encryption keys in memory, for what does not depend on where they are."""

import itertools

from permit_ledger.keys.key_encryption.file_key import FileKey

_seconds = itertools.count()


class MemoryStore:
    """Can fail after so many wraps."""

    def __init__(self):
        self.keys = {}
        self.wraps_left = None
        self.create()

    def load(self):
        return [self.keys[kek_id] for kek_id in sorted(self.keys)]

    def create(self):
        number = next(_seconds)
        key = CountedKey(self, f"20260101T{number:06d}Z-000000", number.to_bytes(32))
        self.keys[key.kek_id] = key
        return key

    def destroy(self, kek_id):
        self.keys.pop(kek_id, None)


class Stopped(Exception):
    """As if the process had ended here."""


class CountedKey(FileKey):
    """Its store decides whether it still wraps."""

    __slots__ = ("_store",)

    def __init__(self, store, kek_id, secret):
        super().__init__(kek_id, secret)
        self._store = store

    def wrap(self, key, holder_id):
        if self._store.wraps_left is not None:
            if self._store.wraps_left == 0:
                raise Stopped
            self._store.wraps_left -= 1
        return super().wrap(key, holder_id)
