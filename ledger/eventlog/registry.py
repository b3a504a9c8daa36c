"""One person, one permit: an append's changes to the register of holders. [P2]

A citizen number has at most one row (under its blind index), a row at most one permit. The row is
written in the append's transaction, so of two issues at the same time exactly one succeeds. Every
change names the person by the index that its row has, before or after it: changes that have no
person in common are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ledger.crypto.holder_keys import WrappedKey


class ClaimHolder(NamedTuple):
    """The person under this index holds this permit now; a new holder comes with a ``key``."""

    citizen_index: bytes
    holder_id: str
    permit_number: str
    key: WrappedKey | None = None

    @property
    def people(self) -> set[bytes]:
        return {self.citizen_index}


class ReleaseHolder(NamedTuple):
    """The permit has ended; its holder may have another."""

    citizen_index: bytes
    permit_number: str

    @property
    def people(self) -> set[bytes]:
        return {self.citizen_index}


class ChangeCitizenNumber(NamedTuple):
    """The permit's holder has another citizen number. The former number gets no permit while this
    holder has one, or is restricted."""

    citizen_index: bytes
    permit_number: str
    new_citizen_index: bytes

    @property
    def people(self) -> set[bytes]:
        return {self.citizen_index, self.new_citizen_index}


class Measure(StrEnum):
    """A measure of data-protection law."""

    RESTRICT = "restrict"
    LIFT = "lift"
    ERASE = "erase"
    """The key, the portraits and the index are destroyed; a person who returns is a new holder."""


class ApplyProtection(NamedTuple):
    """A measure for a holder and all of the holder's streams.

    ``permits`` is their number when they were loaded: if there is another one, which would have no
    event of the measure, nothing is written.
    """

    holder_id: str
    citizen_index: bytes | None
    permits: int
    measure: Measure

    @property
    def people(self) -> set[bytes]:
        return {self.citizen_index} if self.citizen_index else set()


HolderChange = ClaimHolder | ReleaseHolder | ChangeCitizenNumber | ApplyProtection


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder on record; ``permit_number`` is the permit held now, if any. A ``restricted`` holder
    gets no other. ``formerly`` if the number asked for is the holder's former, corrected one."""

    holder_id: str
    permit_number: str | None
    restricted: bool = False
    formerly: bool = False


@dataclass(frozen=True, slots=True)
class HolderRecord:
    """A holder's record; ``citizen_index`` is ``None`` for an erased holder, and for a record that
    another of the same person has replaced."""

    holder_id: str
    citizen_index: bytes | None
    permit_numbers: tuple[str, ...]
