"""The expected rows of a permit, derived from the aggregate, with their faces decrypted."""

from typing import Any

from domain.permit import Permit
from domain.personal import ERASED
from projections.views.face import Face


def face(permit: Permit) -> Face | None:
    """What both tracks show of the holder; nothing of an erased one."""
    identity, address = permit.identity, permit.residence.address
    if identity is ERASED or address is ERASED:
        return None
    return Face(
        name=identity.name,
        sex=identity.sex,
        ethnicity=identity.ethnicity,
        birth_date=identity.birth_date,
        citizen_id_number=identity.citizen_id_number,
        hukou_address=identity.hukou_address,
        portrait=identity.portrait,
        address=address,
    )


def shared(permit: Permit) -> dict[str, Any]:
    """The columns that both tracks share; only the first event carries a picture."""
    shown = face(permit)
    return {
        "permit_number": permit.id,
        "holder_id": permit.holder_id,
        "version": permit.version,
        "face": shown,
        "portrait_version": 1 if shown and shown.portrait else None,
        "division": permit.residence.division,
        "issuing_authority": permit.issuing_authority,
        "issued_on": permit.issued_on,
        "anchor": permit.term.anchor,
        "years": permit.term.years,
        "endorsements": permit.endorsements,
        "ended": permit.end and permit.end.value,
        "restricted": permit.restricted,
        "erased": permit.erased,
        "card_serial": permit.card.serial,
    }


def physical(permit: Permit) -> dict[str, Any]:
    """Its whole row of the physical track."""
    return {
        **shared(permit),
        "card_status": permit.card.status.value,
        "identity_stale": permit.card.identity_stale,
        "card_due_on": permit.card.due_on,
        "card_delivered_on": permit.card.delivered_on,
        "updated_at": permit.modified_on,
    }


def electronic(permit: Permit) -> dict[str, Any]:
    """Its whole row of the electronic track."""
    return {**shared(permit), "claimed": permit.claimed, "devices": list(permit.devices)}
