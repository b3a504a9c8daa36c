"""Results of commands and reads as JSON documents: the parts that all aggregates share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from domain.aggregate import Aggregate
from domain.data_protection import waiting_request
from domain.errors import Refused
from domain.standing import PersonalData

from .problems import refusal_document

Json = dict[str, Any]

ABOUT = "_about"
"""In a stored refusal: the records of another person that it tells of."""


def with_position(document: Json, position: int) -> Json:
    """Add the log position that the document is as of."""
    return {**document, "as_of_position": position}


def holder_document(aggregates: Sequence[Aggregate], at: datetime) -> Json:
    """Return the state of a holder's personal data; after an erasure, what the certificate says."""
    last = aggregates[-1]
    standing = {
        "holder_id": last.holder_id,
        "permit_numbers": [aggregate.id for aggregate in aggregates],
        "personal_data": PersonalData.of(restricted=last.restricted, erased=last.erased),
    }
    if request := waiting_request(aggregates, at):
        return {**standing, "approvals": [request.officer], "expires_at": request.expires_at}
    erasure = last.erasure
    if erasure is None:
        return standing
    return {
        **standing,
        "erased_at": erasure.erased_at,
        "legal_basis": erasure.legal_basis,
        "case": erasure.case,
        "approvals": erasure.approvals,
        "destroyed": {
            "holder_key": erasure.key,
            "search_index": True,
            "portraits": True,
            "views": True,
        },
        "backups_hold_key_until": erasure.backups_hold_key_until,
    }


class HolderRenderer:
    """Renders holder commands and refusals. The bytes are stored with the append and returned again
    on a retry; they hold no position, which is known only once the append has committed. A refusal
    that tells of another person's records has them under :data:`ABOUT`, which callers don't get: a
    retry tells of them again, and that is recorded again."""

    def holder(self, aggregates: Sequence[Aggregate], at: datetime) -> bytes:
        return orjson.dumps(holder_document(aggregates, at))

    def refusal(self, refusal: Refused) -> bytes:
        document = refusal_document(refusal)
        if not refusal.about:
            return document
        return orjson.dumps({**orjson.loads(document), ABOUT: refusal.about})
