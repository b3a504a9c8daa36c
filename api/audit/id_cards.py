"""The investigator's reads of an application for an identity card: its history, and evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.http import documents
from api.http.reading import next_page
from api.http.rendering import Json
from api.http.services import Services, services
from api.id_cards.counter import well_formed
from api.id_cards.presentation import application_document, file_document
from api.permits.answers import RegistrarReadsAnswer
from api.permits.own_reads import BeforeRead, ReadsLimit, page_of
from domain.id_cards.application import IdCardApplication
from domain.id_cards.events import ApplicationAccepted, IdCardEvent
from domain.personal import ERASED
from ledger.errors import UnknownApplication
from ledger.eventlog.follow import POSITION_MAX
from ledger.eventlog.history import StreamHistory

from .answers import ApplicationHistoryAnswer, ChangeAnswer, EventAnswer
from .audited import WHOLE_HISTORY, AuditedRoute, Investigator
from .changes import Hidden, answer_of, flat, plain, with_details
from .disclosing import Chosen, Disclose
from .evidence import RESPONSES, zipped
from .investigator import EVENTS_MAX, After

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=AuditedRoute)

Service = Annotated[Services, Depends(services)]

_PERSONAL = ("applicant.", "return_reason")


@router.get(
    "/id-card-applications/{receipt_number}/events",
    responses=documents.problems(401, 403, 404, 422, 429, 503),
    dependencies=WHOLE_HISTORY,
)
async def application_events(
    request: Request,
    response: Response,
    receipt_number: str,
    _: Investigator,
    service: Service,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=EVENTS_MAX)] = EVENTS_MAX,
) -> ApplicationHistoryAnswer:
    """The history of an application: who, where, when, and each field's old and new value."""
    number = well_formed(receipt_number)
    history = await _history(number, service)
    answers, _now = await asyncio.to_thread(_event_answers, history)
    later = [answer for answer in answers if answer.version > after]
    next_after = later[limit - 1].version if len(later) > limit else None
    response.headers.update(next_page(request, after=next_after))
    return ApplicationHistoryAnswer(
        receipt_number=number,
        events=await with_details(later[:limit], number, service.trees),
        missing_versions=history.missing_versions[:EVENTS_MAX],
        next_after=next_after,
        as_of_position=history.head,
    )


@router.get(
    "/id-card-applications/{receipt_number}/registrar-reads",
    responses=documents.problems(401, 403, 404, 422, 429, 503),
)
async def application_registrar_reads(
    request: Request,
    response: Response,
    receipt_number: str,
    _: Investigator,
    service: Service,
    before: BeforeRead = None,
    limit: ReadsLimit = 50,
) -> RegistrarReadsAnswer:
    """Registrars' reads of the application, the newest first."""
    number = well_formed(receipt_number)
    found = await service.registrar_reads.of_subject(number, before or POSITION_MAX, limit)
    return page_of(request, response, found, limit)


@router.get(
    "/id-card-applications/{receipt_number}/evidence",
    response_class=Response,
    responses=RESPONSES,
    dependencies=WHOLE_HISTORY,
)
async def application_evidence(
    receipt_number: str,
    investigation: Investigator,
    service: Service,
    disclose: Disclose = None,
) -> Response:
    """All events of an application as they are stored, each with its proof, as for permits."""
    chosen = Chosen.of(disclose)
    history = await _history(well_formed(receipt_number), service)
    answers, application = await asyncio.to_thread(_event_answers, history, for_evidence=True)
    state = application_document(application) if application else None
    return await zipped(
        history, answers, state, service.clock.now(), chosen, investigation, service
    )


def _event_answers(
    history: StreamHistory, *, for_evidence: bool = False
) -> tuple[list[EventAnswer], IdCardApplication | None]:
    """Render all events; return them and the application after the last readable one."""
    application: IdCardApplication | None = None
    for event in _sound(history):
        application = _after(application, event)
    why_hidden = _hidden(application) or ("not_disclosed" if for_evidence else None)
    application, before, known = None, Json(), len(_sound(history))
    answers = []
    for n, recorded in enumerate(history.events):
        changes: list[ChangeAnswer] | None = None
        if n < known:
            application = _after(application, _sound(history)[n])
            after = dict(flat(plain(file_document(application))))
            changes, before = list(_changes(before, after, why_hidden)), after
        true_from = recorded.recorded_at if n < known else None
        answers.append(answer_of(recorded, true_from, changes, why_hidden))
    return answers, application


async def _history(number: str, service: Services) -> StreamHistory:
    """
    Raises:
        UnknownApplication
    """
    history = await service.histories.of(number)
    if not history.events:
        raise UnknownApplication
    return history


def _sound(history: StreamHistory) -> list[IdCardEvent]:
    return [event for event in history.sound_events if isinstance(event, IdCardEvent)]


def _after(application: IdCardApplication | None, event: IdCardEvent) -> IdCardApplication:
    if isinstance(event, ApplicationAccepted):
        return event.mutate(None)
    assert application is not None  # noqa: S101  a sound history begins with the acceptance
    event.apply(application)
    return application


def _hidden(application: IdCardApplication | None) -> Hidden:
    if application is None:
        return None
    if application.erasure or application.identity is ERASED:
        return "erased"
    return "restricted" if application.restricted else None


def _changes(before: Json, after: Json, why_hidden: Hidden) -> Iterator[ChangeAnswer]:
    for field in dict.fromkeys([*before, *after]):
        old, new = before.get(field), after.get(field)
        if old == new:
            continue
        is_personal = field.startswith(_PERSONAL)
        is_hidden = is_personal and why_hidden is not None
        yield ChangeAnswer(
            field=field,
            before=None if is_hidden else old,
            after=None if is_hidden else new,
            personal=is_personal,
            withheld=why_hidden if is_hidden else None,
        )
