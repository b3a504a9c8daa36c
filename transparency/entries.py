"""Entries: the public record of an event, a check or an audit read in the tree.

An entry is a commitment: ``{"commitment", "position"}``, the SHA-256 of its *details*, which say
what happened and have a salt. So an entry says nothing to strangers, not even to those who know
what to guess; details are for those who may see the row. Rows that were recorded before there were
salts have none, and their details are the entry (format 1).

All is canonical JSON: members sorted, no spaces, UTF-8, no floats; nothing personal. A state is
recorded as its SHA-256 digest, so an entry stays the same when its holder is erased.
"""

from __future__ import annotations

from binascii import a2b_base64, hexlify
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from ledger.crypto import envelope
from ledger.errors import Corrupt

from .merkle import leaf_hash

ENTRY_BYTES_MAX = 65_535
"""The length in a bundle of entries has 16 bits."""

NAME_BYTES_MAX = 4_096
"""Of the name of a stream or topic, a byte of which may take six; a longer one becomes a digest."""


class Recorded(NamedTuple):
    """An event as the tree has it: its details, and the entry that commits to them."""

    position: int
    stream: str
    version: int
    topic: str
    salt: bytes | None
    details: bytes
    entry: bytes

    @classmethod
    def of(
        cls,
        position: int,
        stream: str,
        version: int,
        topic: str,
        state: bytes,
        salt: bytes | None,
        previous: bytes | None,
    ) -> Recorded:
        """Arguments as of :func:`event_details`."""
        details = event_details(position, stream, version, topic, state, salt, previous)
        entry = details if salt is None else committed(position, details)
        return cls(position, stream, version, topic, salt, details, entry)

    @property
    def leaf(self) -> bytes:
        return leaf_hash(self.entry)


def committed(position: int, details: bytes) -> bytes:
    """The entry of details that have a salt."""
    return b'{"commitment":"%b","position":%d}' % (hexlify(sha256(details).digest()), position)


def event_entry(
    position: int,
    stream: str,
    version: int,
    topic: str,
    state: bytes,
    salt: bytes | None,
    previous: bytes | None,
) -> bytes:
    """The entry of an event as it is stored; arguments as of :func:`event_details`."""
    details = event_details(position, stream, version, topic, state, salt, previous)
    return details if salt is None else committed(position, details)


def event_details(
    position: int,
    stream: str,
    version: int,
    topic: str,
    state: bytes,
    salt: bytes | None,
    previous: bytes | None,
) -> bytes:
    """What an event's entry is about.

    ``recorded_at`` is the state's, ``sealed`` the digest of the ciphertext in it; both are null
    where a state cannot be read, which keeps no event out of the tree.

    Args:
        salt: 16 random bytes; ``None`` of a row that was recorded without (format 1).
        previous: the hash of the leaf of the same stream's previous version. A stream's leaves are
            a chain, so none of them can be left out unnoticed.
    """
    members = _members(state)
    return _salted(
        salt,
        {
            "position": position,
            "previous": previous.hex() if previous else None,
            "recorded_at": _text(members.get("timestamp")),
            "sealed": _sealed(members.get(envelope.FIELD)),
            "state": sha256(state).hexdigest(),
            "stream": _name(stream),
            "topic": _name(topic),
            "version": version,
        },
    )


def check_entry(position: int, check_id: UUID, state: bytes, salt: bytes | None) -> bytes:
    """The entry of a check as it is stored."""
    details = check_details(position, check_id, state, salt)
    return details if salt is None else committed(position, details)


def check_details(position: int, check_id: UUID, state: bytes, salt: bytes | None) -> bytes:
    members = {
        "check_id": str(check_id),
        "position": position,
        "state": sha256(state).hexdigest(),
    }
    return _salted(salt, members)


def audit_read_entry(position: int, *members: Any, salt: bytes) -> bytes:
    """The entry of an audit read as it is stored; arguments as of :func:`audit_read_details`."""
    return committed(position, audit_read_details(position, *members, salt=salt))


def audit_read_details(
    position: int,
    read_id: str,
    read_at: str,
    reader: str,
    case: str | None,
    what: str,
    subject: str | None,
    parameters: str,
    outcome: str,
    correlation_id: str,
    *,
    salt: bytes,
) -> bytes:
    """``parameters`` is a text of JSON; ``position`` is the number of the entry."""
    members = {
        "case": case,
        "correlation_id": correlation_id,
        "outcome": outcome,
        "parameters": _json(parameters),
        "position": position,
        "read_at": read_at,
        "read_id": read_id,
        "reader": reader,
        "subject": subject,
        "what": what,
    }
    return _salted(salt, members)


def _json(text: str) -> Any:
    """What JSON says; the text itself where it can't be read, which keeps no row out of the
    tree."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def is_commitment(entry: bytes) -> bool:
    """Return whether an entry hides what it is about; one of format 1 names it."""
    return entry.startswith(b'{"commitment":')


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


def _salted(salt: bytes | None, members: dict[str, Any]) -> bytes:
    if salt is not None:
        members["salt"] = salt.hex()
    return _canonical(members)


def _canonical(members: dict[str, Any]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
