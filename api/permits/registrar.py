"""The registrar's endpoints (派出所, 受理点): issue, find, endorse, lose, reissue, change, end."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Security
from starlette.responses import Response

from api.http import documents
from api.http.fields import Empty
from api.http.problems import invalid_field
from api.http.reading import (
    Reads,
    known,
    known_tags,
    listed,
    next_page,
    reads,
    shown,
    shown_permit,
    well_formed,
)
from api.http.rendering import with_position
from api.http.roles import Scope
from api.http.services import Services, services
from api.http.tokens import Principal
from api.http.writing import answered, command_by
from api.pictures.processes import NotAPicture
from domain.errors import InvalidDetails
from domain.fields import citizen_number_problem
from domain.permit_document import permit_document
from domain.standing import Facts
from ledger.commands.runner import Command
from ledger.eventlog.log import VERSION_MAX

from .answers import (
    ElectronicFaceAnswer,
    LogEntriesAnswer,
    PermitAnswer,
    PermitsAnswer,
    PhysicalFaceAnswer,
)
from .presentation import electronic_document, physical_document
from .recorded import RecordedRoute, at_station
from .recorded import found as has_found
from .schemas import (
    AddressChangeBody,
    CancellationBody,
    EndorsementBody,
    IdentityCorrectionBody,
    IssueBody,
    LossReportBody,
    ReplacementBody,
    SearchBody,
    VoidingBody,
)

LOG_ENTRIES_MAX = 200
"""In one answer."""

router = APIRouter(tags=["registrar"], route_class=RecordedRoute)

_registrar = at_station(Scope.PERMITS_WRITE)
Registrar = Annotated[Principal, Security(_registrar)]
RegistrarCommand = Annotated[Command, Depends(command_by(Scope.PERMITS_WRITE, _registrar))]
RegistrarOrHolder = Annotated[Principal, Security(at_station(Scope.PERMITS_WRITE, Scope.HOLDER))]
Service = Annotated[Services, Depends(services)]
Views = Annotated[Reads, Depends(reads)]

_WRITE = documents.written(PermitAnswer)


@router.post(
    "/v1/permits",
    status_code=201,
    responses=documents.written(PermitAnswer, 201),
)
async def issue(body: IssueBody, command: RegistrarCommand, service: Service) -> Response:
    """Issue a permit (办证): both tracks, one validity."""
    application = body.application(command.context.today)
    portrait = body.holder.picture()
    if portrait:
        try:
            portrait = await service.portraits.portrait(portrait, command.context.actor)
        except NotAPicture as error:
            raise invalid_field(error, "holder", "portrait") from None
    return await answered(service.ledger.issue(application, command, portrait), service, 201)


@router.post("/v1/permits/searches", responses=documents.read(PermitsAnswer, 413))
async def search(
    request: Request, body: SearchBody, _: Registrar, service: Service, views: Views
) -> Response:
    """Find a person's permits by citizen number, which is sent in the body so that no log has it.
    An invalid number is refused, not answered with an empty list."""
    problem = citizen_number_problem("citizen_id_number", body.citizen_id_number, service.policy)
    if problem:
        raise InvalidDetails([problem])
    index = service.ledger.blind_index.of(body.citizen_id_number)
    found = await views.listed(lambda: service.reader.search(index))
    has_found(request, [facts.permit_number for facts in found.permits])

    def one(facts: Facts) -> dict[str, object]:
        return with_position(permit_document(service.standing(facts)), found.as_of_position)

    return listed({"permits": [one(facts) for facts in found.permits]}, found)


@router.get(
    "/v1/permits/{permit_number}",
    responses=documents.versioned(PermitAnswer),
    dependencies=[Depends(known_tags)],
)
async def read(permit_number: str, _: Registrar, service: Service, views: Views) -> Response:
    """Read the permit, both tracks."""
    seen = await views.permits.permit(well_formed(permit_number))
    return shown_permit(service, known(seen.facts), seen)


@router.get(
    "/v1/permits/{permit_number}/physical",
    responses=documents.versioned(PhysicalFaceAnswer),
    dependencies=[Depends(known_tags)],
)
async def read_physical(
    permit_number: str, caller: RegistrarOrHolder, service: Service, views: Views
) -> Response:
    """Read the physical track; holders read their own."""
    seen = await views.permits.physical(well_formed(permit_number))
    standing = service.standing(known(seen.facts, holder_id=_own(caller)))
    person = await service.reader.person(seen, "physical")
    document = physical_document(standing, seen, person)
    if Scope.PERMITS_WRITE in caller.scopes:
        card = standing.facts.card
        document["card_code"] = service.card_codes.of(standing.facts.permit_number, card.serial)
    return shown(document, standing.facts.version, seen, standing=standing)


@router.get(
    "/v1/permits/{permit_number}/electronic",
    responses=documents.versioned(ElectronicFaceAnswer),
    dependencies=[Depends(known_tags)],
)
async def read_electronic(
    permit_number: str, caller: RegistrarOrHolder, service: Service, views: Views
) -> Response:
    """Read the electronic track; holders read their own."""
    seen = await views.permits.electronic(well_formed(permit_number))
    standing = service.standing(known(seen.facts, holder_id=_own(caller)))
    person = await service.reader.person(seen, "electronic")
    document = electronic_document(standing, seen, person)
    return shown(document, standing.facts.version, seen, standing=standing)


@router.get("/v1/permits/{permit_number}/log-entries", responses=documents.read(LogEntriesAnswer))
async def log_entries(
    request: Request,
    permit_number: str,
    caller: RegistrarOrHolder,
    service: Service,
    views: Views,
    after: Annotated[
        int, Query(ge=0, le=VERSION_MAX, description="only events after this version")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=LOG_ENTRIES_MAX)] = 100,
) -> Response:
    """List what the permit's entries in the transparency log commit to; holders read their own."""
    seen = await views.permits.permit(well_formed(permit_number))
    number = known(seen.facts, holder_id=_own(caller)).permit_number
    events = await service.trees.recorded_page(number, after, after + limit)
    entries = [
        {
            "position": event.position,
            "version": version,
            "type": event.topic,
            "details": event.details.decode(),
            "leaf_hash": event.leaf.hex(),
        }
        for version, event in events.items()
    ]
    next_after = max(events) if len(events) == limit else None
    response = listed({"permit_number": number, "entries": entries, "next_after": next_after}, seen)
    response.headers.update(next_page(request, after=next_after))
    return response


def _own(caller: Principal) -> str | None:
    """Return the holder whose permits the caller is confined to; ``None`` for a registrar."""
    return None if Scope.PERMITS_WRITE in caller.scopes else caller.subject


@router.post("/v1/permits/{permit_number}/endorsements", responses=_WRITE)
async def endorse(
    permit_number: str, body: EndorsementBody, command: RegistrarCommand, service: Service
) -> Response:
    """Endorse (签注): both tracks for one more year."""
    number = well_formed(permit_number)
    return await answered(service.ledger.endorse(number, body.card_presented, command), service)


@router.post("/v1/permits/{permit_number}/loss-reports", responses=_WRITE)
async def report_loss(
    permit_number: str, body: LossReportBody, command: RegistrarCommand, service: Service
) -> Response:
    """Report the card lost (挂失): the electronic permit stays."""
    number = well_formed(permit_number)
    return await answered(service.ledger.report_loss(number, command, body.lost_on), service)


@router.post("/v1/permits/{permit_number}/loss-lifts", responses=_WRITE)
async def lift_loss(
    permit_number: str, _: Empty, command: RegistrarCommand, service: Service
) -> Response:
    """The card was found before a reissue (解除挂失)."""
    return await answered(service.ledger.lift_loss(well_formed(permit_number), command), service)


@router.post("/v1/permits/{permit_number}/reissues", responses=_WRITE)
async def reissue(
    permit_number: str, _: Empty, command: RegistrarCommand, service: Service
) -> Response:
    """A new card for the lost one (补领)."""
    return await answered(service.ledger.reissue(well_formed(permit_number), command), service)


@router.post("/v1/permits/{permit_number}/replacements", responses=_WRITE)
async def replace(
    permit_number: str, body: ReplacementBody, command: RegistrarCommand, service: Service
) -> Response:
    """A new card for one that is damaged, out of date or wrong (换领)."""
    return await answered(
        service.ledger.replace(
            well_formed(permit_number),
            body.reason,
            command,
            old_card_returned=body.old_card_returned,
        ),
        service,
    )


@router.post("/v1/permits/{permit_number}/deliveries", responses=_WRITE)
async def deliver_card(
    permit_number: str, _: Empty, command: RegistrarCommand, service: Service
) -> Response:
    """The holder has collected the current card (领证)."""
    return await answered(service.ledger.deliver_card(well_formed(permit_number), command), service)


@router.post("/v1/permits/{permit_number}/card-deliveries", responses=_WRITE, deprecated=True)
async def deliver_card_under_its_former_name(
    permit_number: str, body: Empty, command: RegistrarCommand, service: Service
) -> Response:
    """The same as `deliveries`, under its former name."""
    return await deliver_card(permit_number, body, command, service)


@router.post("/v1/permits/{permit_number}/address-changes", responses=_WRITE)
async def change_address(
    permit_number: str, body: AddressChangeBody, command: RegistrarCommand, service: Service
) -> Response:
    """A move inside the province (住址变更)."""
    residence = body.residence.residence()
    return await answered(
        service.ledger.change_address(
            well_formed(permit_number), residence, body.moved_on, command
        ),
        service,
    )


@router.post("/v1/permits/{permit_number}/identity-corrections", responses=_WRITE)
async def correct_identity(
    permit_number: str, body: IdentityCorrectionBody, command: RegistrarCommand, service: Service
) -> Response:
    """Correct who the holder is (身份信息更正): number, birth date and sex have to agree. A change
    of anything but the hukou address makes the card in use stale until a new one is made."""
    return await answered(
        service.ledger.correct_identity(
            well_formed(permit_number),
            command,
            name=body.name,
            citizen_id_number=body.citizen_id_number,
            sex=body.sex,
            birth_date=body.birth_date,
            hukou_address=body.hukou_address,
        ),
        service,
    )


@router.post("/v1/permits/{permit_number}/cancellations", responses=_WRITE)
async def cancel(
    permit_number: str, body: CancellationBody, command: RegistrarCommand, service: Service
) -> Response:
    """End the permit (注销): both tracks at once."""
    return await answered(
        service.ledger.cancel(well_formed(permit_number), body.reason, command), service
    )


@router.post("/v1/permits/{permit_number}/voidings", responses=_WRITE)
async def void(
    permit_number: str, body: VoidingBody, command: RegistrarCommand, service: Service
) -> Response:
    """Declare the permit void from now on: it was obtained by fraud."""
    return await answered(
        service.ledger.void(well_formed(permit_number), body.finding, command), service
    )
