"""Bodies of the orders of data-protection law for a holder."""

from tests.api.service import Json

PERSONAL = (
    "name",
    "sex",
    "ethnicity",
    "birth_date",
    "citizen_id_number",
    "portrait",
    "hukou_address",
)
"""The fields of a face that tell who its holder is; and the address in ``residence``."""
TRACKS = ("physical", "electronic")
ORDER: Json = {"legal_basis": "个人信息保护法第四十七条", "case": "2026-DP-17"}


def orders(permit: Json, what: str) -> str:
    """The path for what is asked for the permit's holder."""
    return f"/v1/audit/holders/{permit['holder_id']}/{what}"


def shown(face: Json) -> set[str]:
    """Which of the personal fields of a view are not null."""
    fields = {field for field in PERSONAL if face[field] is not None}
    return fields | ({"address"} if face["residence"]["address"] is not None else set())
