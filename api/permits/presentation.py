"""Permits as JSON, the same whether the facts come from the aggregate or from the views."""

from __future__ import annotations

import base64
from datetime import UTC

import orjson

from api.http.rendering import HolderRenderer, Json
from domain.context import CommandContext
from domain.permit import Permit
from domain.permit_document import permit_document
from domain.standing import Facts, Standing
from projections.queries.permits import PermitRow, Person


def physical_document(standing: Standing, seen: PermitRow, person: Person | None) -> Json:
    """Render the physical track."""
    row = seen.row
    return {
        **_face_document(standing, seen, person),
        "status": standing.physical_status,
        "effective": standing.physical_effective,
        "identity_stale": row["identity_stale"],
        "card_due_on": row["card_due_on"],
        "card_delivered_on": row["card_delivered_on"],
        "updated_at": row["updated_at"].astimezone(UTC),
    }


def electronic_document(standing: Standing, seen: PermitRow, person: Person | None) -> Json:
    """Render the electronic track."""
    return {
        **_face_document(standing, seen, person),
        "status": standing.electronic_status,
        "effective": standing.electronic_effective,
        "devices": standing.facts.devices,
    }


def disclosed(fields: tuple[str, ...], standing: Standing, seen: PermitRow, person: Person) -> Json:
    """Render the fields that a scenario discloses."""
    whole = _face_document(standing, seen, person)
    return {field: whole[field] for field in fields}


def _face_document(standing: Standing, seen: PermitRow, person: Person | None) -> Json:
    """Render the face; personal fields are null where ``person`` is ``None``."""
    facts, row = standing.facts, seen.row
    face = person.face if person else None
    image = person.portrait if person else None
    return {
        "permit_number": facts.permit_number,
        "holder_id": facts.holder_id,
        "version": facts.version,
        "permit_status": standing.status,
        "personal_data": facts.personal_data,
        "name": face and face.name,
        "sex": face and face.sex,
        "ethnicity": face and face.ethnicity,
        "birth_date": face and face.birth_date,
        "citizen_id_number": face and face.citizen_id_number,
        "portrait": base64.b64encode(image).decode() if image is not None else None,
        "hukou_address": face and face.hukou_address,
        "residence": {"division": row["division"], "address": face and face.address},
        "issuing_authority": row["issuing_authority"],
        "issued_on": row["issued_on"],
        "anchor": facts.term.anchor,
        "valid_from": standing.valid_from,
        "valid_until": standing.valid_until,
        "endorsements": facts.endorsements,
        "card_serial": facts.card.serial,
    }


class PermitRenderer(HolderRenderer):
    """Renders the result of a permit command."""

    def aggregate(self, aggregate: Permit, context: CommandContext) -> bytes:
        return orjson.dumps(permit_document(Standing(Facts.of(aggregate), context.today)))
