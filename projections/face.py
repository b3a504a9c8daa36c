"""What a card's face shows of its holder: at rest in a view it is sealed with the holder's key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple, Self

import orjson

from domain.events import IdentityCorrected, PermitIssued
from domain.personal import ERASED, Erased
from ledger.errors import SealBroken
from ledger.holder_keys import HolderKey


@dataclass(frozen=True, slots=True)
class Face:
    """The person and the home; ``portrait`` is the picture's digest."""

    name: str
    sex: str
    ethnicity: str
    birth_date: date
    citizen_id_number: str
    hukou_address: str
    portrait: str | None
    address: str

    @classmethod
    def of(cls, event: PermitIssued) -> Face | Erased:
        identity, address = event.identity, event.residence.address
        if identity is ERASED or address is ERASED:
            return ERASED
        return cls(
            name=identity.name,
            sex=identity.sex,
            ethnicity=identity.ethnicity,
            birth_date=identity.birth_date,
            citizen_id_number=identity.citizen_id_number,
            hukou_address=identity.hukou_address,
            portrait=identity.portrait,
            address=address,
        )

    def moved(self, address: str | Erased) -> Face | Erased:
        return ERASED if address is ERASED else replace(self, address=address)

    def corrected(self, event: IdentityCorrected) -> Face | Erased:
        name, number, hukou = event.name, event.citizen_id_number, event.hukou_address
        if name is ERASED or number is ERASED or hukou is ERASED:
            return ERASED
        return replace(
            self,
            name=name or self.name,
            citizen_id_number=number or self.citizen_id_number,
            hukou_address=hukou or self.hukou_address,
        )

    def seal(self, key: HolderKey, view: str, permit_number: str) -> SealedFace:
        """For this permit in this view, and nowhere else."""
        return SealedFace(key.seal(orjson.dumps(self), view, permit_number))


class SealedFace(NamedTuple):
    """A face as a view has it."""

    box: bytes

    def open(self, key: HolderKey, view: str, permit_number: str) -> Face:
        """
        Raises:
            SealBroken
        """
        fields: dict[str, Any] = orjson.loads(key.open(self.box, view, permit_number))
        try:
            return Face(**{**fields, "birth_date": date.fromisoformat(fields["birth_date"])})
        except (TypeError, KeyError, ValueError):
            raise SealBroken("the sealed face holds other fields") from None

    @classmethod
    def of(cls, box: bytes | None) -> Self | Erased:
        return ERASED if box is None else cls(box)


AnyFace = Face | SealedFace | Erased
"""Of a row: sealed as it was loaded, opened where an event changes it, or gone."""
