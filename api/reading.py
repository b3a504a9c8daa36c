"""What every read shares: ``min_position`` in, the version and position out."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import Depends, Header, Query
from starlette.responses import Response

from domain import permit_number
from domain.permit_document import permit_document
from domain.standing import Facts, PermitStatus, Standing
from ledger.errors import Unavailable, UnknownPermit
from ledger.follow import POSITION_MAX

from .conditional import entity_tag
from .presentation import Json, with_position
from .services import Services, services


async def caught_up(
    service: Annotated[Services, Depends(services)],
    min_position: Annotated[
        int | None,
        Query(
            ge=0,
            le=POSITION_MAX,
            description="wait until the views have this position of the log; 503 if they don't",
        ),
    ] = None,
) -> None:
    """A dependency: the views have what the caller has seen already."""
    if min_position is not None and not await service.views.wait_for(
        min_position, service.min_position_wait_s
    ):
        raise Unavailable(f"The views have not reached position {min_position} yet.")


def known_tags(
    _if_none_match: Annotated[
        list[str] | None,
        Header(alias="If-None-Match", description="304 if the answer has one of these tags"),
    ] = None,
) -> None:
    """A dependency for the API's document; see :class:`api.conditional.ConditionalReads`."""


def known(facts: Facts | None, *, holder_id: str | None = None) -> Facts:
    """The facts, if there are any and, where asked, they are this holder's.

    Raises:
        UnknownPermit
    """
    if facts is None or (holder_id is not None and facts.holder_id != holder_id):
        raise UnknownPermit
    return facts


def well_formed(number: str) -> str:
    """A permit number that could exist.

    Raises:
        UnknownPermit: the check character alone says that there is no such permit.
    """
    if not permit_number.is_valid(number):
        raise UnknownPermit
    return number


def shown(
    document: Json, version: int, position: int, *, standing: Standing | None = None
) -> Response:
    """A view as JSON, with its version as entity tag. Of a permit the tag says too where it
    ``standing`` reads otherwise than it did, with no event since: its year has ended."""
    body = orjson.dumps(with_position(document, position))
    is_suspended = standing is not None and standing.status is PermitStatus.USE_SUSPENDED
    tag = entity_tag(version, PermitStatus.USE_SUSPENDED if is_suspended else None)
    headers = {"ETag": tag, "Ledger-Position": str(position)}
    return Response(body, 200, headers, "application/json")


def shown_permit(service: Services, facts: Facts, position: int) -> Response:
    """The whole permit, both tracks."""
    standing = service.standing(facts)
    return shown(permit_document(standing), facts.version, position, standing=standing)
