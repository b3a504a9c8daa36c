"""Names of key-encryption keys: the second of their creation, and 24 random bits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ledger.crypto.randomness import source
from ledger.errors import KeyUnusable

RANDOM_BYTES = 3
_FORM = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
_INSTANT = "%Y%m%dT%H%M%SZ"


def now() -> datetime:
    """By the system's clock."""
    return datetime.now(UTC)


def new_id(existing: Iterable[str], at: datetime) -> str:
    """A name such as ``20261123T214500Z-3fa9c1``, which sorts after all that exist.

    If one of those has the same second, or a later one by a faster clock, the name has the second
    after it.

    Raises:
        KeyUnusable: one of them has a name of another form, or of the last second that there is.
    """
    latest = max((_instant(kek_id) for kek_id in existing), default=None)
    if latest is not None:
        at = max(at, _next(latest))
    return f"{at.astimezone(UTC):{_INSTANT}}-{source.take(RANDOM_BYTES).hex()}"


def is_id(name: str) -> bool:
    """Whether the text is a valid name."""
    try:
        _instant(name)
    except KeyUnusable:
        return False
    return True


def _instant(kek_id: str) -> datetime:
    try:
        if not _FORM.fullmatch(kek_id):
            raise ValueError(kek_id)
        return datetime.strptime(kek_id.partition("-")[0], _INSTANT).replace(tzinfo=UTC)
    except ValueError:
        raise KeyUnusable(f"{kek_id!r} is no name of a key-encryption key.") from None


def _next(latest: datetime) -> datetime:
    try:
        return latest + timedelta(seconds=1)
    except OverflowError:
        raise KeyUnusable("A key-encryption key is named for the end of time.") from None
