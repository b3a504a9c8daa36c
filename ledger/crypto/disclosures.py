"""Disclosures: personal fields of an event that can be opened one by one, each with proof.

The sealed part of an event has a salt of 16 random bytes for each of its fields, the plain part the
digest of each disclosure: SHA-256 over the canonical JSON ``[salt, name, value]``. So who is given
a disclosure can compare it with the stored bytes, and learns nothing of the other fields; without
its salt a digest can't be recognised, not even by those who can guess the value. Destroying the
holder's key destroys the salts.

Digests are in the order of their bytes, with random ones among them, so that neither their order
nor their number says what the sealed part has.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from ledger.errors import SealBroken

from . import randomness

SALT_BYTES = 16
DIGEST_BYTES = 32
DIGESTS_MULTIPLE = 16
"""Digests are filled up to a multiple of this: more than the fields of any event of today."""


class Disclosure(NamedTuple):
    """A field of the sealed part, with dots between the names that lead to it; ``value`` is
    JSON."""

    salt: bytes
    name: str
    value: Any

    @property
    def text(self) -> bytes:
        return _text(self.salt.hex(), self.name, self.value)

    @property
    def digest(self) -> bytes:
        return sha256(self.text).digest()


def salted(personal: Mapping[str, Any]) -> tuple[bytes, str]:
    """New salts for the fields of a sealed part, in their order, and the digests of the disclosures
    as the plain part has them: sorted, filled up, joined, in Base64."""
    fields = _fields(personal)
    salts = randomness.source.take(SALT_BYTES * len(fields))
    decoys = randomness.source.take(DIGEST_BYTES * (-len(fields) % DIGESTS_MULTIPLE))
    digests = [decoys[n : n + DIGEST_BYTES] for n in range(0, len(decoys), DIGEST_BYTES)]
    # Not by way of Disclosure, which would take as long again: every append waits for this.
    hexadecimal, at = salts.hex(), 0
    for name, value in fields:
        end = at + 2 * SALT_BYTES
        digests.append(sha256(_text(hexadecimal[at:end], name, value)).digest())
        at = end
    digests.sort()
    return salts, b2a_base64(b"".join(digests), newline=False).decode()


def disclosures_of(personal: Mapping[str, Any], salts: bytes) -> list[Disclosure]:
    """The disclosures of all fields of a sealed part.

    Raises:
        SealBroken: there are more or fewer salts than fields.
    """
    fields = _fields(personal)
    if len(salts) != SALT_BYTES * len(fields):
        raise SealBroken("the sealed part has another number of salts than of fields")
    return _disclosures(fields, salts)


def digests_in(text: str) -> frozenset[bytes]:
    """
    Raises:
        SealBroken: they are not digests as above.
    """
    try:
        joined = a2b_base64(text, strict_mode=True)
    except ValueError:
        joined = b"x"
    if len(joined) % DIGEST_BYTES:
        raise SealBroken("the digests of the sealed part can't be read")
    starts = range(0, len(joined), DIGEST_BYTES)
    return frozenset(joined[at : at + DIGEST_BYTES] for at in starts)


def _disclosures(fields: Sequence[tuple[str, Any]], salts: bytes) -> list[Disclosure]:
    return [
        Disclosure(salts[SALT_BYTES * n : SALT_BYTES * (n + 1)], name, value)
        for n, (name, value) in enumerate(fields)
    ]


def _text(salt: str, name: str, value: Any) -> bytes:
    """The canonical JSON of a disclosure."""
    return orjson.dumps([salt, name, value], option=orjson.OPT_SORT_KEYS)


def _fields(personal: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The fields of a JSON object, those of inner objects one by one, sorted by name."""
    found: list[tuple[str, Any]] = []
    _gather(personal, "", found)
    return found


def _gather(value: Mapping[str, Any], within: str, found: list[tuple[str, Any]]) -> None:
    for name in sorted(value):
        inner = value[name]
        if isinstance(inner, dict) and inner:
            _gather(inner, f"{within}{name}.", found)
        else:
            found.append((within + name, inner))
