"""What every read shares: how fresh it is to be, its version and positions, pages of lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, TypeVar
from urllib.parse import urlencode

import orjson
from fastapi import Depends, Header, Query, Request
from starlette.responses import Response

from domain import permit_number
from domain.permit_document import permit_document
from domain.standing import Facts, PermitStatus, Standing
from ledger.errors import Unavailable, UnknownPermit
from ledger.eventlog.follow import POSITION_MAX
from projections.queries.fresh import FreshReader
from projections.queries.id_cards import IdCardReader
from projections.queries.permits import PermitReader

from .conditional import entity_tag
from .rendering import Json, with_position
from .services import Services, services


@dataclass(frozen=True, slots=True)
class Reads:
    """How one request reads the views: with every write acknowledged before it came in, or, for
    ``consistency=eventual``, as they are."""

    service: Services
    is_eventual: bool

    @property
    def permits(self) -> PermitReader | FreshReader:
        """Reads one permit."""
        return self.service.reader if self.is_eventual else self.service.fresh

    @property
    def applications(self) -> IdCardReader | FreshReader:
        """Reads one application for an identity card."""
        return self.service.id_card_reader if self.is_eventual else self.service.fresh

    async def listed(self, read: Callable[[], Awaitable[L]]) -> L:
        """A list or search: once the views have the head that the log had as the request came in,
        or as they are after a bounded wait."""
        found = await read()
        if self.is_eventual or found.as_of_position >= found.head:
            return found
        await self.service.views.wait_for(found.head, self.service.list_wait_s)
        return await read()


class AsOf(Protocol):
    """What a list was read as of."""

    @property
    def as_of_position(self) -> int: ...

    @property
    def head(self) -> int: ...


@dataclass(frozen=True, slots=True)
class OfLog:
    """What was read from the log itself, once its head was known."""

    head: int

    @property
    def as_of_position(self) -> int:
        return self.head


L = TypeVar("L", bound=AsOf)


async def reads(
    service: Annotated[Services, Depends(services)],
    min_position: Annotated[
        int | None,
        Query(
            ge=0,
            le=POSITION_MAX,
            description="wait until the views have this position of the log; 503 if they don't",
        ),
    ] = None,
    consistency: Annotated[
        Literal["fresh", "eventual"],
        Query(description="`eventual`: as the views are, without waiting for the newest writes"),
    ] = "fresh",
) -> Reads:
    """A dependency: how the views are read; they have ``min_position`` already."""
    if min_position is not None and not await service.views.wait_for(
        min_position, service.min_position_wait_s
    ):
        raise Unavailable(f"The views have not reached position {min_position} yet.")
    return Reads(service, consistency == "eventual")


def next_page(request: Request, **changed: int | None) -> dict[str, str]:
    """The ``Link`` to a list's next page (RFC 8288): the same query with another position in it;
    none where that is ``None``, at the list's end."""
    if None in changed.values():
        return {}
    kept = [item for item in request.query_params.multi_items() if item[0] not in changed]
    query = urlencode([*kept, *changed.items()])
    return {"Link": f'<{request.url.path}?{query}>; rel="next"'}


def known_tags(
    _if_none_match: Annotated[
        list[str] | None,
        Header(alias="If-None-Match", description="304 if the answer has one of these tags"),
    ] = None,
) -> None:
    """A dependency for the API's document; see :class:`api.http.conditional.ConditionalReads`."""


def known(facts: Facts | None, *, holder_id: str | None = None) -> Facts:
    """The facts, if there are any and, where asked, they are this holder's.

    Raises:
        UnknownPermit
    """
    if facts is None or (holder_id is not None and facts.holder_id != holder_id):
        raise UnknownPermit
    return facts


def well_formed(number: str) -> str:
    """The permit number that was typed.

    Raises:
        UnknownPermit: the check character alone says that there is no such permit.
    """
    if (parsed := permit_number.parse(number)) is None:
        raise UnknownPermit
    return parsed


def positions(found: AsOf) -> dict[str, str]:
    """What an answer is as of, and how far the log was in the same instant."""
    return {"Ledger-Position": str(found.as_of_position), "Ledger-Head": str(found.head)}


def shown(
    document: Json, version: int, found: AsOf, *, standing: Standing | None = None
) -> Response:
    """A view as JSON, with its version as entity tag. Of a permit the tag says too where it
    ``standing`` reads otherwise than it did, with no event since: its year has ended."""
    body = orjson.dumps(with_position(document, found.as_of_position))
    is_suspended = standing is not None and standing.status is PermitStatus.USE_SUSPENDED
    tag = entity_tag(version, PermitStatus.USE_SUSPENDED if is_suspended else None)
    return Response(body, 200, {"ETag": tag, **positions(found)}, "application/json")


def listed(document: Json, found: AsOf) -> Response:
    """A list as JSON."""
    body = orjson.dumps(with_position(document, found.as_of_position))
    return Response(body, 200, positions(found), "application/json")


def shown_permit(service: Services, facts: Facts, found: AsOf) -> Response:
    """The whole permit, both tracks."""
    standing = service.standing(facts)
    return shown(permit_document(standing), facts.version, found, standing=standing)
