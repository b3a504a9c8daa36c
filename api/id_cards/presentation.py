"""Applications for identity cards as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import orjson

from api.http.rendering import HolderRenderer, Json
from domain.context import CommandContext
from domain.id_cards.application import IdCardApplication
from domain.personal import ERASED
from domain.standing import PersonalData
from projections.queries.id_cards import WorkList
from projections.views.id_cards import IdCardRow


def application_document(application: IdCardApplication) -> Json:
    """Render without the person: the result is stored with the append, unencrypted."""
    return {
        "receipt_number": application.id,
        "holder_id": application.holder_id,
        "version": application.version,
        "stage": application.stage,
        "accepted_on": application.accepted_on,
        "accepted_by": application.accepted_by,
        "hukou_province": application.hukou_province,
        "due_date": application.due_date,
        "due_date_provisional": application.due_date_provisional,
        "fee_yuan": application.fee_yuan,
        "card_term_years": application.card_term_years,
        "collection": {"method": application.collection},
        "collected_by": application.collected_by,
        "advice": [asdict(one) for one in application.advice],
        "personal_data": _personal_data(application),
    }


def file_document(application: IdCardApplication) -> Json:
    """Render with the person, for the officer at the counter."""
    held = _personal_data(application) is PersonalData.HELD
    identity, reason = application.identity, application.return_reason
    return {
        **application_document(application),
        "applicant": asdict(identity) if held and identity is not ERASED else None,
        "return_reason": reason if held and reason is not ERASED else None,
    }


def progress_document(row: IdCardRow) -> Json:
    return {
        "receipt_number": row.receipt_number,
        "stage": row.stage,
        "stage_since": row.stage_since,
        "due_date": row.due_date,
        "due_date_provisional": row.due_date_provisional,
    }


def list_document(work: WorkList, today: date) -> Json:
    def one(row: IdCardRow) -> Json:
        return {
            **progress_document(row),
            "accepted_on": row.accepted_on,
            "accepted_by": row.accepted_by,
            "days_left": (row.due_date - today).days,
            "collection": row.collection,
            "restricted": row.restricted,
        }

    return {"applications": [one(row) for row in work.rows], "found": work.found}


def _personal_data(application: IdCardApplication) -> PersonalData:
    return PersonalData.of(restricted=application.restricted, erased=application.erased)


class IdCardRenderer(HolderRenderer):
    """Renders the result of a command on an application."""

    def aggregate(self, aggregate: IdCardApplication, context: CommandContext) -> bytes:  # noqa: ARG002
        return orjson.dumps(application_document(aggregate))
