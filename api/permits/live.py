"""Live updates of a permit as server-sent events (text/event-stream).

Each stream starts with the current state, so that a client that reconnects has missed nothing. It
ends after a bounded time, with its caller's token or session, and when the service stops. A session
is looked up before each part, and is not prolonged: pages reconnect by themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security

from api.http import documents
from api.http.reading import Reads, known, reads, well_formed
from api.http.rendering import Json, with_position
from api.http.roles import Scope
from api.http.security import is_still_signed_in, require
from api.http.services import Services, services
from api.http.streams import END, HEARTBEAT, EventStream, Stream, event
from api.http.tokens import Principal
from domain.permit_document import permit_document
from domain.possible import possible_commands
from ledger.errors import Unavailable
from projections.queries.changes import Watch
from projections.queries.permits import PermitRow

from .recorded import RecordedRoute, at_station

router = APIRouter(tags=["live"], route_class=RecordedRoute)

Registrar = Annotated[Principal, Security(at_station(Scope.PERMITS_WRITE, is_use=False))]
Holder = Annotated[Principal, Security(require(Scope.HOLDER, is_use=False))]
Service = Annotated[Services, Depends(services)]
Views = Annotated[Reads, Depends(reads)]


@router.get("/v1/permits/{permit_number}/live", responses=documents.streamed(401, 403, 404, 429))
async def permit(
    request: Request, permit_number: str, caller: Registrar, service: Service, views: Views
) -> EventStream:
    """A `permit` event with the permit, both tracks, and the commands that it allows, now and
    whenever that changes."""
    seen = await views.permits.permit(well_formed(permit_number))
    return _permit_stream(request, seen, caller, service, with_commands=True)


@router.get("/v1/me/live", responses=documents.streamed(401, 403, 404, 429))
async def own_permit(
    request: Request, caller: Holder, service: Service, views: Views
) -> EventStream:
    """A `permit` event with the own permit, now and whenever it changes; a `checked` event with the
    position of the last check, now and after each check."""
    seen = await views.permits.of_holder(caller.subject)
    return _permit_stream(request, seen, caller, service, with_checks=True)


def _permit_stream(
    request: Request,
    seen: PermitRow,
    caller: Principal,
    service: Services,
    *,
    with_checks: bool = False,
    with_commands: bool = False,
) -> EventStream:
    number = known(seen.facts).permit_number
    with ExitStack() as held:
        stream = held.enter_context(
            service.streams.open(caller.subject, expires_at=caller.expires_at)
        )
        watch = held.enter_context(service.changes.watching(number, stream.wake))
        parts = _permit(
            seen,
            stream,
            watch,
            service,
            is_signed_in=partial(is_still_signed_in, request.scope, service),
            with_checks=with_checks,
            with_commands=with_commands,
        )
        return EventStream(parts, held.pop_all())


async def _permit(
    seen: PermitRow,
    stream: Stream,
    watch: Watch,
    service: Services,
    *,
    is_signed_in: Callable[[], Awaitable[bool]],
    with_checks: bool,
    with_commands: bool,
) -> AsyncIterator[bytes]:
    """Read again where the views have a later version than was sent. The state is computed each
    time, since a day may have ended."""
    sent: Json | None = None
    sent_check: int | None = None
    while not stream.is_over:
        facts = known(seen.facts)
        try:
            if not await is_signed_in():
                break
            if watch.mark and watch.mark.version > facts.version:
                seen = await service.reader.permit(watch.permit_number)
                facts = known(seen.facts)
        except Unavailable:
            break
        standing, is_quiet = service.standing(facts), True
        document = {**permit_document(standing), "today": standing.today}
        if with_commands:
            document["commands"] = possible_commands(standing)
        if document != sent:
            sent, is_quiet = document, False
            yield event("permit", with_position(document, seen.as_of_position))
        if with_checks and watch.mark and watch.mark.checked != sent_check:
            sent_check, is_quiet = watch.mark.checked, False
            yield event("checked", {"position": sent_check})
        if is_quiet:
            yield HEARTBEAT
        await stream.woken()
    yield END
