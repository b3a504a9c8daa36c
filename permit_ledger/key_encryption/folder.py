"""stub"""

import secrets
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger import randomness
from ledger.errors import KeyUnusable


class FileKey:
    is_remote = False

    def __init__(self, kek_id, key):
        self.kek_id = kek_id
        self._aead = AESGCM(key)

    def _a(self, holder_id):
        return f"{self.kek_id}\0{holder_id}".encode()

    def wrap(self, key, holder_id):
        nonce = randomness.source.take(12)
        return nonce + self._aead.encrypt(nonce, key, self._a(holder_id))

    def unwrap(self, wrapped, holder_id):
        try:
            return self._aead.decrypt(wrapped[:12], wrapped[12:], self._a(holder_id))
        except (InvalidTag, ValueError):
            raise KeyUnusable("wrapped with another key") from None


class KeyFolder:
    def __init__(self, path):
        self._path = path

    def load(self):
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        files = sorted(self._path.glob("*.key"))
        if not files:
            return [self.create()]
        return [FileKey(f.stem, bytes.fromhex(f.read_text())) for f in files]

    def create(self):
        i = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(3)}"
        k = secrets.token_bytes(32)
        (self._path / f"{i}.key").write_text(k.hex())
        return FileKey(i, k)

    def destroy(self, kek_id):
        (self._path / f"{kek_id}.key").unlink(missing_ok=True)
