"""One person, one permit: what an append changes about who holds what. [P2]

A citizen number has at most one row (under its blind index), a row at most one permit. The row is
written in the append's transaction, so of two issues in the same instant exactly one wins. Every
change names the person by the index that its row has, or has from then on: changes that name no
person in common don't depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ledger.crypto.holder_keys import WrappedKey


class ClaimHolder(NamedTuple):
    """The person behind the index now holds this permit; somebody new brings a ``key``."""

    citizen_index: bytes
    holder_id: str
    permit_number: str
    key: WrappedKey | None = None

    @property
    def people(self) -> set[bytes]:
        return {self.citizen_index}


class ReleaseHolder(NamedTuple):
    """The permit has ended; its holder may get another."""

    citizen_index: bytes
    permit_number: str

    @property
    def people(self) -> set[bytes]:
        return {self.citizen_index}


class ChangeCitizenNumber(NamedTuple):
    """The permit's holder is found under another citizen number from now on. The former one gets no
    permit while this person has one, or is restricted."""

    citizen_index: bytes
    permit_number: str
    new_citizen_index: bytes

    @property
    def people(self) -> set[bytes]:
        return {self.citizen_index, self.new_citizen_index}


class Measure(StrEnum):
    """What is done for a holder whose data is to be protected."""

    RESTRICT = "restrict"
    LIFT = "lift"
    ERASE = "erase"
    """The key, the portraits and the index are destroyed; who returns is somebody new."""


class ApplyProtection(NamedTuple):
    """A measure for a holder with all permits.

    ``permits`` is how many the holder was known to have had: with another one, which would not be
    told of it, nothing is written.
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
    """A person on record; ``permit_number`` is the permit held now, if any. Who is ``restricted``
    gets no other. ``formerly``: the number asked for is one that this person's record had before a
    correction."""

    holder_id: str
    permit_number: str | None
    restricted: bool = False
    formerly: bool = False


@dataclass(frozen=True, slots=True)
class HolderRecord:
    """What is on record of a holder: ``citizen_index`` is none for somebody erased, and for a
    record that gave way to another of the same person."""

    holder_id: str
    citizen_index: bytes | None
    permit_numbers: tuple[str, ...]
