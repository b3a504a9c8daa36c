"""Entries: what the tree says of an event or a check, for anybody to read.

Canonical JSON: members sorted, no spaces, UTF-8, no floats; nothing personal. A state is there as
its SHA-256 digest, so what can be told from an entry stays the same when a holder is erased.
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
"""What the length in a bundle of entries has room for."""

NAME_BYTES_MAX = 4_096
"""Of a stream or a topic, each byte of which may take six; a longer one is there as its digest."""


def event_entry(
    position: int, stream: str, version: int, topic: str, state: bytes, previous: bytes | None
) -> bytes:
    """Of an event as it is stored.

    ``previous`` is the hash of the leaf of the same stream's version before: a stream's leaves are
    a chain, so none of them can be left out unnoticed. ``recorded_at`` is what the state says;
    ``sealed`` the digest of the box in it. Both are null where a state can't be read, which keeps
    nothing out of the tree.
    """
    said = _said(state)
    return _canonical(
        {
            "position": position,
            "previous": previous.hex() if previous else None,
            "recorded_at": _text(said.get("timestamp")),
            "sealed": _sealed(said.get(envelope.FIELD)),
            "state": sha256(state).hexdigest(),
            "stream": _name(stream),
            "topic": _name(topic),
            "version": version,
        }
    )


def check_entry(position: int, check_id: UUID, state: bytes) -> bytes:
    """Of a check as it is stored."""
    return _canonical(
        {
            "check_id": str(check_id),
            "position": position,
            "state": sha256(state).hexdigest(),
        }
    )


def bundled(entries: list[bytes]) -> bytes:
    """As they are served, each after its length (C2SP tlog-tiles).

    Raises:
        Corrupt: one is too long, as nothing is that the ledger has recorded.
    """
    if any(len(entry) > ENTRY_BYTES_MAX for entry in entries):
        raise Corrupt("an entry is too long to be served")
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def _said(state: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(state)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= 64 else None  # noqa: PLR2004


def _name(value: str) -> str | dict[str, str]:
    """No permit's number and no topic is so long; but nothing that is stored is left out."""
    if len(value) <= NAME_BYTES_MAX // 4 or len(encoded := value.encode()) <= NAME_BYTES_MAX:
        return value
    return {"sha256": sha256(encoded).hexdigest()}


def _sealed(value: object) -> str | None:
    box = value.get("box") if isinstance(value, dict) else None
    if not isinstance(box, str):
        return None
    try:
        return sha256(a2b_base64(box, strict_mode=True)).hexdigest()
    except ValueError:
        return None


def _canonical(members: dict[str, Any]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
