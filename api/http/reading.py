"""What all reads share: freshness, entity tag, positions, pages of lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, TypeVar
from urllib.parse import quote, urlencode

import orjson
import structlog
from fastapi import Depends, Header, Query, Request
from pydantic import BaseModel, ValidationError
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
from .documents import for_description
from .rendering import Json, with_position
from .services import Services, services

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reads:
    """How one request reads the views: fresh, with every write acknowledged before it arrived, or
    as they are (``consistency=eventual``)."""

    service: Services
    is_eventual: bool

    @property
    def permits(self) -> PermitReader | FreshReader:
        """The reader of one permit."""
        return self.service.reader if self.is_eventual else self.service.fresh

    @property
    def applications(self) -> IdCardReader | FreshReader:
        """The reader of one application for an identity card."""
        return self.service.id_card_reader if self.is_eventual else self.service.fresh

    async def listed(self, read: Callable[[], Awaitable[L]]) -> L:
        """Run a list or search; where the views were behind the log, again after a bounded wait."""
        found = await read()
        if self.is_eventual or found.as_of_position >= found.head:
            return found
        await self.service.views.wait_for(found.head, self.service.list_wait_s)
        return await read()


class AsOf(Protocol):
    """The position that a result is as of, and the log's head."""

    @property
    def as_of_position(self) -> int: ...

    @property
    def head(self) -> int: ...


@dataclass(frozen=True, slots=True)
class OfLog:
    """A result that was read from the log itself, after its head."""

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
    """Dependency: how to read the views; waits for ``min_position``."""
    if min_position is not None and not await service.views.wait_for(
        min_position, service.min_position_wait_s
    ):
        raise Unavailable(f"The views have not reached position {min_position} yet.")
    return Reads(service, consistency == "eventual")


def next_page(request: Request, **changed: int | str | None) -> dict[str, str]:
    """Make the ``Link`` to a list's next page (RFC 8288): the same query from another position.
    Empty at the list's end, where that is ``None``. Both parts are quoted: a number may be typed in
    full-width characters, and a header has none."""
    if None in changed.values():
        return {}
    kept = [item for item in request.query_params.multi_items() if item[0] not in changed]
    query = urlencode([*kept, *changed.items()])
    return {"Link": f'<{quote(request.url.path)}?{query}>; rel="next"'}


M = TypeVar("M", bound=BaseModel)


def readable(
    model: type[M], found: Sequence[tuple[int, Mapping[str, object]]]
) -> tuple[list[M], list[int]]:
    """Make an answer of each row, by its position among all; returns the answers, and the positions
    of rows that hold something else than the service writes: one of them hides no other."""
    answers, others = [], []
    for position, row in found:
        try:
            answers.append(model.model_validate({"position": position, **row}))
        except ValidationError:
            others.append(position)
    return answers, unreadable(others)


def unreadable(positions: list[int]) -> list[int]:
    """Report rows of a list that can't be read; returns their positions."""
    for position in positions:
        _log.error("a record can't be read", position=position)
    return positions


@for_description
async def known_tags(
    _if_none_match: Annotated[
        list[str] | None,
        Header(alias="If-None-Match", description="304 if the answer has one of these tags"),
    ] = None,
) -> None:
    """Dependency, for OpenAPI only; see :class:`api.http.conditional.ConditionalReads`."""


def known(facts: Facts | None, *, holder_id: str | None = None) -> Facts:
    """Return the facts if there are any, and if they are ``holder_id``'s, where that is given.

    Raises:
        UnknownPermit
    """
    if facts is None or (holder_id is not None and facts.holder_id != holder_id):
        raise UnknownPermit
    return facts


def well_formed(number: str) -> str:
    """Parse a permit number as typed.

    Raises:
        UnknownPermit: malformed, or with a wrong check character.
    """
    if (parsed := permit_number.parse(number)) is None:
        raise UnknownPermit
    return parsed


def positions(found: AsOf) -> dict[str, str]:
    """Make the headers for the position that an answer is as of, and the log's head."""
    return {"Ledger-Position": str(found.as_of_position), "Ledger-Head": str(found.head)}


def shown(
    document: Json, version: int, found: AsOf, *, standing: Standing | None = None
) -> Response:
    """Respond with a view, and its version as entity tag. Where ``standing`` is given and the
    permit's year has ended, the tag has a variant: the same version reads differently."""
    body = orjson.dumps(with_position(document, found.as_of_position))
    is_suspended = standing is not None and standing.status is PermitStatus.USE_SUSPENDED
    tag = entity_tag(version, PermitStatus.USE_SUSPENDED if is_suspended else None)
    return Response(body, 200, {"ETag": tag, **positions(found)}, "application/json")


def listed(document: Json, found: AsOf) -> Response:
    """Respond with a list."""
    body = orjson.dumps(with_position(document, found.as_of_position))
    return Response(body, 200, positions(found), "application/json")


def shown_permit(service: Services, facts: Facts, found: AsOf) -> Response:
    """Respond with the whole permit, both tracks."""
    standing = service.standing(facts)
    return shown(permit_document(standing), facts.version, found, standing=standing)
