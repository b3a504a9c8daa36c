"""A card's face: what it shows of its holder, encrypted with the holder's key in a view."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from operator import attrgetter
from typing import Any, NamedTuple, Self

import orjson

from domain.events import PermitIssued
from domain.person import Identity
from domain.personal import ERASED, Erased
from ledger.crypto.holder_keys import HolderKey
from ledger.errors import SealBroken

_IDENTITY = tuple(field.name for field in fields(Identity))
_identity = attrgetter(*_IDENTITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face(Identity):
    """The holder's identity and home address."""

    address: str

    @classmethod
    def of(cls, event: PermitIssued) -> Face | Erased:
        identity, address = event.identity, event.residence.address
        if identity is ERASED or address is ERASED:
            return ERASED
        return cls(**dict(zip(_IDENTITY, _identity(identity), strict=True)), address=address)

    def moved(self, address: str | Erased) -> Face | Erased:
        return ERASED if address is ERASED else replace(self, address=address)

    def seal(self, key: HolderKey, view: str, permit_number: str) -> SealedFace:
        """Encrypt for this permit in this view. An equal face gives an equal ciphertext there,
        so that two builds of a view can be compared."""
        return SealedFace(key.seal_alike(orjson.dumps(self), view, permit_number))


class SealedFace(NamedTuple):
    """A face as it is stored in a view."""

    ciphertext: bytes

    def open(self, key: HolderKey, view: str, permit_number: str) -> Face:
        """Decrypt the face.

        Raises:
            SealBroken
        """
        shown: dict[str, Any] = orjson.loads(key.open(self.ciphertext, view, permit_number))
        try:
            return Face(**{**shown, "birth_date": date.fromisoformat(shown["birth_date"])})
        except (TypeError, KeyError, ValueError):
            raise SealBroken("the sealed face holds other fields") from None

    @classmethod
    def of(cls, ciphertext: bytes | None) -> Self | Erased:
        return ERASED if ciphertext is None else cls(ciphertext)


AnyFace = Face | SealedFace | Erased
"""A row's face: encrypted as loaded, decrypted where an event changes it, or erased."""
