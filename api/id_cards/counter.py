"""The counter for first identity cards across provinces (跨省异地首次申领居民身份证)."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Security
from starlette.responses import Response

from api.http import documents
from api.http.admission import client_of
from api.http.fields import Date, Empty
from api.http.reading import OfLog, Reads, known_tags, listed, reads, shown
from api.http.roles import Scope
from api.http.services import Services, services
from api.http.tokens import Principal
from api.http.writing import answered, command_by
from api.permits.recorded import RecordedRoute, at_station
from domain import text
from domain.calendar import shanghai_date
from domain.id_cards import receipt_number as receipts
from domain.personal import ERASED
from ledger.commands.runner import Command
from ledger.errors import UnknownApplication

from .answers import (
    IdCardApplicationAnswer,
    IdCardCountsAnswer,
    IdCardFileAnswer,
    ProgressAnswer,
    WorkAnswer,
)
from .presentation import file_document, list_document, progress_document
from .schemas import IdCardApplicationBody, IdCardCollectionBody, ReturnBody

router = APIRouter(prefix="/v1/id-card-applications", tags=["id-cards"], route_class=RecordedRoute)

_officer = at_station(Scope.APPLICATIONS_WRITE)
Counter = Annotated[Principal, Security(_officer)]
CounterCommand = Annotated[Command, Depends(command_by(Scope.APPLICATIONS_WRITE, _officer))]
Service = Annotated[Services, Depends(services)]
Views = Annotated[Reads, Depends(reads)]

LAST_CHARACTERS = 4

_WRITE = documents.written(IdCardApplicationAnswer)
_READ_PUBLIC = {
    status: response
    for status, response in documents.versioned(ProgressAnswer, 429).items()
    if status not in {401, 403}
}


async def limited(request: Request, service: Service) -> None:
    """Dependency: limit the requests from one address.

    Raises:
        HttpProblem: 429.
    """
    service.progress_limit.spend(client_of(request))


def well_formed(number: str) -> str:
    """Parse a receipt number as typed.

    Raises:
        UnknownApplication: malformed, or with a wrong check character.
    """
    if (parsed := receipts.parse(number)) is None:
        raise UnknownApplication
    return parsed


@router.post("", status_code=201, responses=documents.written(IdCardApplicationAnswer, 201))
async def accept(
    body: IdCardApplicationBody, command: CounterCommand, service: Service
) -> Response:
    """Accept an application (受理); a refusal names everything that is missing."""
    return await answered(service.id_cards.accept(body.submission(), command), service, 201)


@router.get("", responses=documents.read(WorkAnswer))
async def work(
    caller: Counter,
    service: Service,
    views: Views,
) -> Response:
    """The work list of the token's own station: overdue, due soon, cards that wait for
    collection."""
    today = shanghai_date(service.clock.now())
    station = caller.station or ""
    soon = service.policy.id_cards.due_soon_days
    found = await views.listed(lambda: service.id_card_reader.work(station, today, soon))
    return listed(
        {
            "today": today,
            "station": station,
            "overdue": list_document(found.overdue, today),
            "due_soon": list_document(found.due_soon, today),
            "waiting_for_collection": list_document(found.waiting, today),
        },
        found,
    )


@router.get("/counts", responses=documents.read(IdCardCountsAnswer))
async def counts(_: Counter, service: Service, views: Views) -> Response:
    """Count the applications of the whole city by stage."""
    found = await views.listed(service.id_card_reader.counts)
    document = {
        "stages": {stage.value: n for stage, n in found.stages.items()},
        "due_date_provisional": found.provisional,
    }
    return listed(document, found)


@router.get(
    "/{receipt_number}",
    responses=documents.versioned(IdCardFileAnswer),
    dependencies=[Depends(known_tags)],
)
async def read(receipt_number: str, _: Counter, service: Service) -> Response:
    """Read an application with its applicant, from the log itself."""
    head, _views = await service.reader.positions()
    application = await service.id_cards.application(well_formed(receipt_number))
    return shown(file_document(application), application.version, OfLog(head))


@router.get(
    "/{receipt_number}/progress",
    responses=_READ_PUBLIC,
    dependencies=[Depends(limited), Depends(known_tags)],
)
async def progress(
    receipt_number: str,
    service: Service,
    views: Views,
    birth_date: Annotated[Date | None, Query(description="the applicant's")] = None,
    id_last4: Annotated[
        str | None,
        Query(
            max_length=20, description="the last four characters of the applicant's citizen number"
        ),
    ] = None,
) -> Response:
    """An application's progress (进度查询), for anyone with its receipt who also knows the birth
    date or the end of the citizen number. Otherwise the answer is that of an unknown receipt; after
    a number of wrong ones it is 429, whatever is sent."""
    number = well_formed(receipt_number)
    service.progress_guesses.spend(number)
    is_wrong = False
    try:
        if not await _knows_applicant(service, number, birth_date, id_last4):
            is_wrong = True
            raise UnknownApplication
    finally:
        if not is_wrong:
            service.progress_guesses.give_back(number)
    found = await views.applications.progress(number)
    if found.row is None:
        raise UnknownApplication
    return shown(progress_document(found.row), found.row.version, found)


async def _knows_applicant(
    service: Services, number: str, birth_date: date | None, id_last4: str | None
) -> bool:
    """Return whether at least one of both is given, and all that is given is the applicant's. A
    restricted applicant's details are not used: no one knows them."""
    try:
        application = await service.id_cards.application(number)
    except UnknownApplication:
        return False
    applicant = application.identity
    if applicant is ERASED or application.restricted:
        return False
    known = [
        (str(birth_date) if birth_date else None, str(applicant.birth_date)),
        (id_last4 and text.code(id_last4), applicant.citizen_id_number[-LAST_CHARACTERS:]),
    ]
    agree = [
        secrets.compare_digest(said.encode(), true.encode())
        for said, true in known
        if said is not None
    ]
    return bool(agree) and all(agree)


@router.post("/{receipt_number}/dispatches", responses=_WRITE)
async def dispatch(
    receipt_number: str, _: Empty, command: CounterCommand, service: Service
) -> Response:
    """Send the papers to the police where the household is registered."""
    return await answered(service.id_cards.dispatch(well_formed(receipt_number), command), service)


@router.post("/{receipt_number}/approvals", responses=_WRITE)
async def approve(
    receipt_number: str, _: Empty, command: CounterCommand, service: Service
) -> Response:
    """Record their approval (审核通过)."""
    return await answered(service.id_cards.approve(well_formed(receipt_number), command), service)


@router.post("/{receipt_number}/returns", responses=_WRITE)
async def send_back(
    receipt_number: str, body: ReturnBody, command: CounterCommand, service: Service
) -> Response:
    """Record that they sent it back (退回); only the counter sees the reason."""
    number = well_formed(receipt_number)
    return await answered(service.id_cards.send_back(number, body.reason, command), service)


@router.post("/{receipt_number}/productions", responses=_WRITE)
async def produce(
    receipt_number: str, _: Empty, command: CounterCommand, service: Service
) -> Response:
    """Record that the card was made (制证)."""
    return await answered(service.id_cards.produce(well_formed(receipt_number), command), service)


@router.post("/{receipt_number}/arrivals", responses=_WRITE)
async def arrive(
    receipt_number: str, _: Empty, command: CounterCommand, service: Service
) -> Response:
    """Record that the card has arrived at the station."""
    return await answered(service.id_cards.arrive(well_formed(receipt_number), command), service)


@router.post("/{receipt_number}/withdrawals", responses=_WRITE)
async def withdraw(
    receipt_number: str, _: Empty, command: CounterCommand, service: Service
) -> Response:
    """Withdraw the application (撤回)."""
    return await answered(service.id_cards.withdraw(well_formed(receipt_number), command), service)


@router.post("/{receipt_number}/collections", responses=_WRITE)
async def collect(
    receipt_number: str, body: IdCardCollectionBody, command: CounterCommand, service: Service
) -> Response:
    """Hand the card over (领证), or post it."""
    number = well_formed(receipt_number)
    return await answered(service.id_cards.collect(number, body.collection(), command), service)
