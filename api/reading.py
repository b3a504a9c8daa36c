"""What every read shares: ``min_position`` in, the version and position out."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import Depends, Query
from starlette.responses import Response

from domain import permit_number
from domain.permit_document import permit_document
from domain.standing import Facts
from ledger.errors import Unavailable, UnknownPermit
from ledger.follow import POSITION_MAX

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


def shown(document: Json, version: int, position: int) -> Response:
    """A view as JSON, with its version as entity tag."""
    body = orjson.dumps(with_position(document, position))
    headers = {"ETag": f'"{version}"', "Ledger-Position": str(position)}
    return Response(body, 200, headers, "application/json")


def shown_permit(service: Services, facts: Facts, position: int) -> Response:
    """The whole permit, both tracks."""
    standing = service.standing(facts)
    return shown(permit_document(standing), facts.version, position)
