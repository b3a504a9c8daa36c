"""The materials of an application, and which are missing. [C3, C4, C5]"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Material(StrEnum):
    HOUSEHOLD_REGISTER = "household_register"
    EMPLOYMENT_PROOF = "employment_proof"
    STUDY_PROOF = "study_proof"
    RESIDENCE_PROOF = "residence_proof"
    GUARDIAN_ID_CARD = "guardian_id_card"
    GUARDIAN_HOUSEHOLD_REGISTER = "guardian_household_register"
    BIRTH_CERTIFICATE = "birth_certificate"
    GUARDIANSHIP_PROOF = "guardianship_proof"


_OF_ADULTS: Final = (
    (Material.HOUSEHOLD_REGISTER,),
    (Material.EMPLOYMENT_PROOF, Material.STUDY_PROOF, Material.RESIDENCE_PROOF),
)
_OF_CHILDREN: Final = (
    (Material.GUARDIAN_ID_CARD,),
    (Material.GUARDIAN_HOUSEHOLD_REGISTER,),
    (Material.HOUSEHOLD_REGISTER,),
    (Material.STUDY_PROOF, Material.RESIDENCE_PROOF),
)
_OF_UNREGISTERED_RELATION: Final = ((Material.BIRTH_CERTIFICATE, Material.GUARDIANSHIP_PROOF),)


@dataclass(frozen=True, slots=True)
class Advice:
    """A recommendation that does not prevent the acceptance. [C5]"""

    code: str
    material: Material
    detail: str


def missing(
    brought: Collection[Material], *, is_child: bool, relation_registered: bool
) -> Iterator[str]:
    """The missing materials; alternatives are joined by ``|``."""
    wanted: tuple[tuple[Material, ...], ...] = _OF_CHILDREN if is_child else _OF_ADULTS
    if is_child and not relation_registered:
        wanted += _OF_UNREGISTERED_RELATION
    for alternatives in wanted:
        if not set(alternatives) & set(brought):
            yield "|".join(alternatives)


def advice(brought: Collection[Material], without_photo: Collection[Material]) -> Iterator[Advice]:
    """A proof without a photo is accepted, with advice. [C5]"""
    for material in Material:
        if material in brought and material in without_photo:
            yield Advice(
                code="PROOF_WITHOUT_PHOTO",
                material=material,
                detail="This proof has no photo on it: one that has makes the check quicker.",
            )
