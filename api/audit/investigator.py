"""The investigator's reads: a permit's history, past states, checks, and the audit reads."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from api.http import documents
from api.http.fields import Printable
from api.http.instants import QueryInstant
from api.http.reading import next_page, readable, well_formed
from api.http.roles import Scope
from api.http.services import Services, services
from api.permits.answers import RegistrarReadsAnswer
from api.permits.own_reads import BeforeRead, ReadsLimit, page_of
from domain.permit_document import permit_document
from domain.person import Identity
from domain.personal import ERASED
from domain.timeline import bands
from domain.validity import AsOf, History
from ledger.checks.audit_reads import READS_MAX
from ledger.checks.history import CHECKS_MAX
from ledger.errors import UnknownPermit
from ledger.eventlog.follow import POSITION_MAX
from ledger.eventlog.history import StreamHistory
from ledger.eventlog.log import VERSION_MAX

from .answers import (
    BandAnswer,
    ChecksAnswer,
    HistoryAnswer,
    HomeAnswer,
    IdentityAnswer,
    MarkAnswer,
    ReadAnswer,
    ReadsAnswer,
    StateAnswer,
    TimelineAnswer,
)
from .audited import WHOLE_HISTORY, AuditedRoute, Investigator, is_about, stream
from .changes import event_page, hidden, plain, with_details
from .checks import checked_again
from .disclosing import Chosen, Disclose

EVENTS_MAX = 200
MARKS_MAX = 1_000
"""In one answer."""

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=AuditedRoute)

Service = Annotated[Services, Depends(services)]
At = Annotated[QueryInstant | None, Query(description="when it was true; now, if left out")]
KnownAt = Annotated[
    QueryInstant | None,
    Query(description="by when it was recorded; now, if left out or ahead"),
]
After = Annotated[int, Query(ge=0, le=VERSION_MAX, description="only events after this version")]
Before = Annotated[
    int | None, Query(ge=1, le=POSITION_MAX, description="only entries before this position")
]
_PROBLEMS = documents.problems(401, 403, 404, 422, 429, 503)


@router.get("/permits/{permit_number}/events", responses=_PROBLEMS)
async def events(
    request: Request,
    response: Response,
    permit_number: str,
    _: Investigator,
    service: Service,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=EVENTS_MAX)] = 100,
    disclose: Disclose = None,
) -> HistoryAnswer:
    """The history: who, where, when, and each field's old and new value; with what proves the
    fields in `disclose` against the log."""
    chosen = Chosen.of(disclose)
    number = well_formed(permit_number)
    head, page, is_more = await event_page(service.histories, number, after, limit, chosen)
    next_after = page[-1].version if is_more else None
    response.headers.update(next_page(request, after=next_after))
    return HistoryAnswer(
        permit_number=number,
        events=await with_details(page, number, service.trees),
        missing_versions=await service.histories.missing_versions(number, EVENTS_MAX),
        next_after=next_after,
        as_of_position=head,
    )


@router.get("/permits/{permit_number}/state", responses=_PROBLEMS, dependencies=WHOLE_HISTORY)
async def state(
    permit_number: str,
    _: Investigator,
    service: Service,
    at: At = None,
    known_at: KnownAt = None,
) -> StateAnswer:
    """What was true at `at`, as known at `known_at`."""
    recorded = await _history(well_formed(permit_number), service)

    def folded() -> StateAnswer:
        history, known = recorded.known_by(known_at)
        now = _now(service, history)
        found = history.as_of(at or now, known)
        if found is None:
            raise UnknownPermit("There was no such permit at that instant.")
        return _state(recorded, found, known, min(known_at or now, now))

    return await asyncio.to_thread(folded)


@router.get("/permits/{permit_number}/timeline", responses=_PROBLEMS, dependencies=WHOLE_HISTORY)
async def timeline(
    request: Request,
    response: Response,
    permit_number: str,
    _: Investigator,
    service: Service,
    known_at: KnownAt = None,
    after: After = 0,
) -> TimelineAnswer:
    """Both tracks over true time, as known at `known_at`, and the events on both axes, in pages."""
    recorded = await _history(well_formed(permit_number), service)
    answer = await asyncio.to_thread(_timeline, recorded, known_at, after, service)
    response.headers.update(next_page(request, after=answer.next_after))
    return answer


def _timeline(
    recorded: StreamHistory, known_at: datetime | None, after: int, service: Services
) -> TimelineAnswer:
    history, known = recorded.known_by(known_at)
    now = _now(service, history)
    marks = [
        MarkAnswer(
            position=one.position,
            version=one.version,
            type=one.stored.topic,
            recorded_at=history.recorded_at[n],
            true_from=history.true_from(one.version),
        )
        for n, one in enumerate(recorded.events[:known])
        if after < one.version <= after + MARKS_MAX
    ]
    return TimelineAnswer(
        permit_number=recorded.events[0].stored.originator_id,
        now=now,
        known_at=min(known_at or now, now),
        bands=[
            BandAnswer(since=band.since, until=band.until, **asdict(band.states))
            for band in bands(history, known)
        ],
        marks=marks,
        next_after=after + MARKS_MAX if after + MARKS_MAX < known else None,
        as_of_position=recorded.events[known - 1].position,
    )


@router.get("/permits/{permit_number}/checks", responses=_PROBLEMS, dependencies=WHOLE_HISTORY)
async def checks(
    request: Request,
    response: Response,
    permit_number: str,
    _: Investigator,
    service: Service,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=CHECKS_MAX)] = 50,
) -> ChecksAnswer:
    """The permit's checks, the newest first, each with today's answer for that instant."""
    number = well_formed(permit_number)
    recorded = await _history(number, service)
    # In a thread, as all that is folded here: each check folds the permit as of its instant.
    history, _known = await asyncio.to_thread(recorded.known_by, None)
    holder_id = recorded.holder_id
    found = await service.history.of_permit(number, holder_id, before or POSITION_MAX, limit)
    next_before = found[-1][0] if len(found) == limit else None
    response.headers.update(next_page(request, before=next_before))
    return ChecksAnswer(
        permit_number=number,
        checks=await asyncio.to_thread(
            lambda: [checked_again(at, check, recorded, history) for at, check in found]
        ),
        next_before=next_before,
        as_of_position=recorded.head,
    )


@router.get("/permits/{permit_number}/registrar-reads", responses=_PROBLEMS)
async def registrar_reads(
    request: Request,
    response: Response,
    permit_number: str,
    _: Investigator,
    service: Service,
    before: BeforeRead = None,
    limit: ReadsLimit = 50,
) -> RegistrarReadsAnswer:
    """Registrars' reads of the permit, the newest first."""
    number = well_formed(permit_number)
    found = await service.registrar_reads.of_subject(number, before or POSITION_MAX, limit)
    return page_of(request, response, found, limit)


@router.get("/reads", responses=documents.problems(401, 403, 422, 429, 503))
async def reads(
    request: Request,
    response: Response,
    investigation: Investigator,
    service: Service,
    subject: Annotated[
        str | None,
        Query(max_length=64, description="only reads of this permit or application"),
        Printable,
    ] = None,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=READS_MAX)] = 50,
) -> ReadsAnswer:
    """The audit reads of the token's case, the newest first, refused ones too; without this one.
    Where the case is that of the header, only the caller's own in it. With the scope
    `audit:supervise` those of all cases, and those that named none."""
    named = stream(subject) if subject else None
    is_about(request, named)
    caller, case, reader = investigation.caller, None, None
    if Scope.AUDIT_SUPERVISE not in caller.scopes:
        case = investigation.case
        reader = None if investigation.is_granted else caller.subject
    found = await service.audit_reads.recent(
        named or subject, before or POSITION_MAX, limit, case=case, reader=reader
    )
    next_before = found[-1].position if len(found) == limit else None
    response.headers.update(next_page(request, before=next_before))
    answers, others = readable(
        ReadAnswer,
        [(one.position, {"read_id": one.read_id, **asdict(one.read)}) for one in found],
    )
    return ReadsAnswer(reads=answers, unreadable=others, next_before=next_before)


async def _history(number: str, service: Services) -> StreamHistory:
    """
    Raises:
        UnknownPermit
    """
    history = await service.histories.of(number)
    if not history.events:
        raise UnknownPermit
    return history


def _now(service: Services, history: History) -> datetime:
    """Return now, or the newest event's time if its writer's clock is ahead of ours."""
    return max(service.clock.now(), history.recorded_at[-1])


def _state(recorded: StreamHistory, found: AsOf, known: int, known_at: datetime) -> StateAnswer:
    permit, why_hidden = found.permit, hidden(recorded)
    document: dict[str, Any] = {
        **permit_document(found.standing),
        "at": found.at,
        "known_at": known_at,
        "known_version": known,
        "issued_on": permit.issued_on,
        "issuing_authority": permit.issuing_authority,
        "identity": None if why_hidden else _identity(permit.identity),
        "residence": HomeAnswer(
            division=permit.residence.division,
            address=None if why_hidden else plain(permit.residence.address),
        ),
        "identity_stale": permit.card.identity_stale,
        "withheld": why_hidden,
        "uncertain": list(found.uncertain),
        "as_of_position": recorded.events[known - 1].position,
    }
    return StateAnswer.model_validate(document)


def _identity(identity: Any) -> IdentityAnswer | None:
    if identity is ERASED or not isinstance(identity, Identity):
        return None
    return IdentityAnswer.model_validate(asdict(identity))
