"""Permits as JSON. Whether facts come from the aggregate or from the views, they look the same."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from domain.context import CommandContext
from domain.errors import Refused
from domain.permit import Permit
from domain.standing import Facts, Standing

from .problems import refusal_document

Json = dict[str, Any]


def permit_document(standing: Standing) -> Json:
    """A permit, both tracks, without the position that it is as of."""
    facts, window = standing.facts, standing.endorsement_window
    return {
        "permit_number": facts.permit_number,
        "holder_id": facts.holder_id,
        "version": facts.version,
        "status": standing.status,
        "anchor": facts.term.anchor,
        "valid_from": standing.valid_from,
        "valid_until": standing.valid_until,
        "endorsement_window": {"opens": window.opens, "closes": window.closes},
        "endorsements": facts.endorsements,
        "physical": {
            "card_serial": facts.card.serial,
            "status": standing.physical_status,
            "effective": standing.physical_effective,
        },
        "electronic": {
            "status": standing.electronic_status,
            "card_serial": facts.card.serial,
            "effective": standing.electronic_effective,
            "devices": facts.devices,
        },
    }


def physical_document(standing: Standing, face: Mapping[str, Any]) -> Json:
    """The physical view by itself."""
    return {
        **_face_document(standing, face),
        "status": standing.physical_status,
        "effective": standing.physical_effective,
        "identity_stale": face["identity_stale"],
        "card_due_on": face["card_due_on"],
        "card_delivered_on": face["card_delivered_on"],
    }


def electronic_document(standing: Standing, face: Mapping[str, Any]) -> Json:
    """The electronic view by itself."""
    return {
        **_face_document(standing, face),
        "status": standing.electronic_status,
        "effective": standing.electronic_effective,
        "devices": standing.facts.devices,
    }


def disclosed(fields: tuple[str, ...], standing: Standing, face: Mapping[str, Any]) -> Json:
    """Those fields of a permit that a scenario may see, and no others."""
    whole = _face_document(standing, face)
    return {field: whole[field] for field in fields}


def _face_document(standing: Standing, face: Mapping[str, Any]) -> Json:
    image = face["portrait_image"]
    facts = standing.facts
    return {
        "permit_number": facts.permit_number,
        "holder_id": facts.holder_id,
        "version": facts.version,
        "permit_status": standing.status,
        "name": face["name"],
        "sex": face["sex"],
        "ethnicity": face["ethnicity"],
        "birth_date": face["birth_date"],
        "citizen_id_number": face["citizen_id_number"],
        "portrait": base64.b64encode(image).decode() if image is not None else None,
        "hukou_address": face["hukou_address"],
        "residence": {"division": face["division"], "address": face["address"]},
        "issuing_authority": face["issuing_authority"],
        "issued_on": face["issued_on"],
        "anchor": facts.term.anchor,
        "valid_from": standing.valid_from,
        "valid_until": standing.valid_until,
        "endorsements": facts.endorsements,
        "card_serial": facts.card.serial,
    }


def with_position(document: Json, position: int) -> Json:
    return {**document, "as_of_position": position}


class JsonRenderer:
    """What a command's caller gets: kept with the append, told again on a retry."""

    def permit(self, permit: Permit, context: CommandContext) -> bytes:
        return orjson.dumps(permit_document(Standing(Facts.of(permit), context.today)))

    def refusal(self, refusal: Refused) -> bytes:
        return refusal_document(refusal)


def place(body: bytes, position: int) -> bytes:
    """A rendered permit with the position that its append got."""
    return body[:-1] + b',"as_of_position":%d}' % position
