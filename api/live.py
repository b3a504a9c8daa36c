"""What changes, told as it changes: server-sent events (text/event-stream).

Each stream begins with how things are, so a client that comes back has missed nothing. It ends by
itself after a while, and when the service stops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Depends, Security

from domain.standing import Facts
from ledger.errors import LedgerError

from . import documents
from .presentation import permit_document, with_position
from .pulse import PulseFeed
from .reading import known, well_formed
from .roles import Scope
from .security import require
from .services import Services, services
from .streams import END, HEARTBEAT, EventStream, Stream, event
from .tokens import Principal

router = APIRouter(tags=["live"])

PUBLIC = ""

Registrar = Annotated[Principal, Security(require(Scope.PERMITS_WRITE))]
Holder = Annotated[Principal, Security(require(Scope.HOLDER))]
Service = Annotated[Services, Depends(services)]


@router.get("/v1/live", responses=documents.streamed())
async def pulse(service: Service) -> EventStream:
    """How the ledger is doing: `pulse` events with positions, lag, and today's events by kind."""
    with ExitStack() as held:
        stream = held.enter_context(service.public_streams.open(PUBLIC))
        service.pulse.want()
        return EventStream(_pulse(stream, service.pulse), held.pop_all())


@router.get("/v1/permits/{permit_number}/live", responses=documents.streamed(401, 403, 404))
async def permit(permit_number: str, caller: Registrar, service: Service) -> EventStream:
    """A `permit` event with the permit, both tracks, now and whenever it changes."""
    seen = await service.reader.permit(well_formed(permit_number))
    return _permit_stream(known(seen.facts), caller, service)


@router.get("/v1/me/live", responses=documents.streamed(401, 403, 404))
async def own_permit(caller: Holder, service: Service) -> EventStream:
    """A `permit` event with the own permit, now and whenever it changes."""
    seen = await service.reader.of_holder(caller.subject)
    return _permit_stream(known(seen.facts), caller, service)


def _permit_stream(facts: Facts, caller: Principal, service: Services) -> EventStream:
    with ExitStack() as held:
        stream = held.enter_context(service.streams.open(caller.subject))
        held.enter_context(service.changes.watching(facts.permit_number, stream.wake))
        return EventStream(_permit(stream, facts.permit_number, service), held.pop_all())


async def _permit(stream: Stream, number: str, service: Services) -> AsyncIterator[bytes]:
    """Read when it was woken; judged anew at each heartbeat, since a day may have ended."""
    told, is_changed = None, True
    seen = await service.reader.permit(number)
    while not stream.is_over:
        if is_changed:
            try:
                seen = await service.reader.permit(number)
            except LedgerError:
                break
        document = permit_document(service.standing(known(seen.facts)))
        if document != told:
            told = document
            yield event("permit", with_position(document, seen.as_of_position))
        elif not is_changed:
            yield HEARTBEAT
        is_changed = await stream.woken()
    yield END


async def _pulse(stream: Stream, feed: PulseFeed) -> AsyncIterator[bytes]:
    told = None
    while not stream.is_over:
        latest = feed.latest
        if latest is not None and latest != told:
            told = latest
            yield latest
        else:
            yield HEARTBEAT
        await stream.woken()
    yield END
