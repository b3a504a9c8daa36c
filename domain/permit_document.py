"""A permit as the API, the Kafka topics and the audit history present it."""

from __future__ import annotations

from typing import Any

from .standing import Standing

Json = dict[str, Any]


def permit_document(standing: Standing) -> Json:
    """A permit with both tracks, without the position it is as of."""
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
        "personal_data": facts.personal_data,
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
