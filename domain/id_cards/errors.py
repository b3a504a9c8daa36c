"""Refusals of the identity-card counter, also in the tree at the top of :mod:`domain.errors`."""

from __future__ import annotations

from collections.abc import Collection

from domain.errors import Incomplete, Refused

from .stages import Stage


class NotInterprovincial(Refused):
    """The household is not registered in a province whose residents may apply here."""

    code = "NOT_INTERPROVINCIAL"


class NotFirst(Refused):
    """The applicant has held an identity card before; only a first one is issued here."""

    code = "NOT_FIRST"


class NotAvailable(Refused):
    """A temporary identity card is not issued across provinces."""

    code = "NOT_AVAILABLE"


class MaterialsMissing(Incomplete):
    """Some materials are missing."""

    code = "MATERIALS_MISSING"


class CommitmentMissing(Incomplete):
    """The applicant or the guardian has to sign the letter of commitment."""

    code = "COMMITMENT_MISSING"


class WrongStage(Refused):
    """The application is at another stage."""

    code = "WRONG_STAGE"

    def __init__(self, stage: Stage, expected: Collection[Stage]) -> None:
        self.stage = stage
        names = " or ".join(each for each in Stage if each in expected)
        super().__init__(f"The application is {stage}; this can be done while it is {names}.")


class OtherStation(Refused):
    """Only the station that has accepted the application takes its next steps."""

    code = "OTHER_STATION"


class CollectionNotAsChosen(Refused):
    """A card is handed to an agent or mailed only if that was chosen when applying."""

    code = "COLLECTION_NOT_AS_CHOSEN"


class CollectionIncomplete(Incomplete):
    """The card can't be handed over yet."""

    code = "COLLECTION_INCOMPLETE"
