"""Retries that don't happen twice: the first answer is kept in the append's own transaction."""

from __future__ import annotations

from dataclasses import dataclass

KEY_LENGTH_MAX = 128
"""Characters of a key that a caller sends."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Who used which key for which request.

    ``key`` and ``fingerprint`` are keyed digests (:mod:`ledger.crypto.blind_index`): what a caller
    sends may hold a citizen number, and responses are kept for ever.
    """

    caller: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """An answer that becomes true when its append commits."""

    key: IdempotencyKey
    accepted: bool
    body: bytes
    version: int | None
    position: int | None = None
    """Given where nothing is appended; otherwise the append's last position."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to.

    ``body`` is the rendered permit or refusal, ``version`` the permit's, ``position`` the log's
    after which it reads like this; ``replayed`` when it is the first answer told again.
    """

    accepted: bool
    body: bytes
    version: int | None
    position: int | None
    replayed: bool = False
