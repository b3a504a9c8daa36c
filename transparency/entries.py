"""Entries: the public record of an event or a check in the tree.

Canonical JSON: members sorted, no spaces, UTF-8, no floats; nothing personal. A state is recorded
as its SHA-256 digest, so an entry stays the same when its holder is erased.
"""

from __future__ import annotations

from binascii import a2b_base64
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson

from ledger.crypto import envelope
from ledger.errors import Corrupt

ENTRY_BYTES_MAX = 65_535
"""The length in a bundle of entries has 16 bits."""

NAME_BYTES_MAX = 4_096
"""Of the name of a stream or topic, a byte of which may take six; a longer one becomes a digest."""


def event_entry(
    position: int, stream: str, version: int, topic: str, state: bytes, previous: bytes | None
) -> bytes:
    """The entry of an event as it is stored.

    ``recorded_at`` is the state's, ``sealed`` the digest of the ciphertext in it; both are null
    where a state cannot be read, which keeps no event out of the tree.

    Args:
        previous: the hash of the leaf of the same stream's previous version. A stream's leaves are
            a chain, so none of them can be left out unnoticed.
    """
    members = _members(state)
    return _canonical(
        {
            "position": position,
            "previous": previous.hex() if previous else None,
            "recorded_at": _text(members.get("timestamp")),
            "sealed": _sealed(members.get(envelope.FIELD)),
            "state": sha256(state).hexdigest(),
            "stream": _name(stream),
            "topic": _name(topic),
            "version": version,
        }
    )


def check_entry(position: int, check_id: UUID, state: bytes) -> bytes:
    """The entry of a check as it is stored."""
    return _canonical(
        {
            "check_id": str(check_id),
            "position": position,
            "state": sha256(state).hexdigest(),
        }
    )


def bundled(entries: list[bytes]) -> bytes:
    """Entries as they are served, each after its length (C2SP tlog-tiles).

    Raises:
        Corrupt: one is too long, as none is that the ledger has recorded.
    """
    if any(len(entry) > ENTRY_BYTES_MAX for entry in entries):
        raise Corrupt("an entry is too long to be served")
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def _members(state: bytes) -> dict[str, Any]:
    try:
        members = orjson.loads(state)
    except orjson.JSONDecodeError:
        return {}
    return members if isinstance(members, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= 64 else None  # noqa: PLR2004


def _name(value: str) -> str | dict[str, str]:
    """Shorten a name of any length to a bounded one; permit numbers and topics never need it."""
    if len(value) <= NAME_BYTES_MAX // 4 or len(encoded := value.encode()) <= NAME_BYTES_MAX:
        return value
    return {"sha256": sha256(encoded).hexdigest()}


def _sealed(value: object) -> str | None:
    ciphertext = value.get("box") if isinstance(value, dict) else None
    if not isinstance(ciphertext, str):
        return None
    try:
        return sha256(a2b_base64(ciphertext, strict_mode=True)).hexdigest()
    except ValueError:
        return None


def _canonical(members: dict[str, Any]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
