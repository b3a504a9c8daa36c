"""What the rows of a permit have to be, from the aggregate itself."""

from typing import Any

from domain.permit import Permit


def shared(permit: Permit) -> dict[str, Any]:
    """What both tracks have to say of it."""
    identity = permit.identity
    return {
        "permit_number": permit.id,
        "holder_id": permit.holder_id,
        "version": permit.version,
        "name": identity.name,
        "sex": identity.sex,
        "ethnicity": identity.ethnicity,
        "birth_date": identity.birth_date,
        "citizen_id_number": identity.citizen_id_number,
        "hukou_address": identity.hukou_address,
        "portrait": identity.portrait,
        "division": permit.residence.division,
        "address": permit.residence.address,
        "issuing_authority": permit.issuing_authority,
        "issued_on": permit.issued_on,
        "anchor": permit.term.anchor,
        "years": permit.term.years,
        "endorsements": permit.endorsements,
        "ended": permit.end and permit.end.value,
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
    }


def electronic(permit: Permit) -> dict[str, Any]:
    """Its whole row of the electronic track."""
    return {**shared(permit), "claimed": permit.claimed, "devices": list(permit.devices)}
