"""What a witness signs, and whether it has (C2SP tlog-cosignature): with Ed25519 or ML-DSA-44.

Both begin with the time. Ed25519 signs it with the checkpoint's whole text; ML-DSA-44 signs a
structure of the witness's name, the time, and what the checkpoint says, so that nothing beside it
is under its signature: a text with further lines is not taken.
"""

from __future__ import annotations

import re
from base64 import b64decode

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

TIME_BYTES = 8
TIME_MAX = (1 << 63) - 1
MLDSA44_PUBLIC_BYTES = 1312

_NAME_BYTES_MAX = 255
_LABEL = b"subtree/v1\n\0"
_CHECKPOINT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n", re.ASCII)


def has_signed(public: bytes, value: bytes, text: str, *, mldsa_name: str | None) -> bool:
    """Whether ``value``, time and signature, is by this key over the checkpoint's ``text``;
    ``mldsa_name`` is the witness's, where the key is of ML-DSA-44."""
    seconds, signature = int.from_bytes(value[:TIME_BYTES]), value[TIME_BYTES:]
    try:
        if seconds > TIME_MAX:
            return False
        if mldsa_name is None:
            message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        else:
            message = _structure(mldsa_name, seconds, text)
            MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _structure(name: str, seconds: int, text: str) -> bytes:
    """
    Raises:
        ValueError: it has no place for these.
    """
    found = _CHECKPOINT.fullmatch(text)
    if not found:
        raise ValueError("a checkpoint has three lines")
    origin, size, root = found[1].encode(), int(found[2]), b64decode(found[3])
    start = 0
    return b"".join(
        (
            _LABEL,
            *_prefixed(name.encode()),
            seconds.to_bytes(8),
            *_prefixed(origin),
            start.to_bytes(8),
            size.to_bytes(8),
            root,
        )
    )


def _prefixed(value: bytes) -> tuple[bytes, bytes]:
    if not 0 < len(value) <= _NAME_BYTES_MAX:
        raise ValueError("a name has 1 to 255 bytes")
    return bytes([len(value)]), value
