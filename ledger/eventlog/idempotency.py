"""Idempotent responses: a command's response is stored in its append's transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

KEY_LENGTH_MAX = 128
"""Characters of an ``Idempotency-Key``."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key for a request.

    ``key`` and ``fingerprint`` are keyed digests (:mod:`ledger.crypto.blind_index`): what a caller
    sends may have a citizen number in it, and responses are kept for ever.
    """

    caller: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """A response that is stored when its append commits."""

    key: IdempotencyKey
    accepted: bool
    body: bytes
    version: int | None
    position: int | None = None
    """For a command that appends nothing; otherwise it is the append's last position."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's response.

    ``body`` is the rendered aggregate or refusal, ``version`` the aggregate's, ``position`` the
    log's at which it is current; ``replayed`` if it is the stored response of an earlier request,
    ``appended`` if it has just appended an event.
    """

    accepted: bool
    body: bytes
    version: int | None
    position: int | None
    replayed: bool = False
    appended: bool = field(default=False, compare=False)
