"""The work list of a registrar's own station: what is due, overdue, or waits for collection."""

from __future__ import annotations

from datetime import UTC, date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Security
from starlette.responses import Response

from api.http import documents
from api.http.fields import Printable
from api.http.instants import QueryInstant
from api.http.problems import HttpProblem
from api.http.reading import Reads, listed, next_page, reads
from api.http.rendering import Json, with_position
from api.http.roles import Scope
from api.http.services import Services, services
from api.http.tokens import Principal
from domain.calendar import shanghai_date
from domain.instants import instant_of
from domain.permit_document import permit_document
from projections.queries.work_list import (
    ROWS_MAX,
    EndorsementWindow,
    Listed,
    ListedStatus,
    NotAPlace,
    Place,
    Selection,
)

from .answers import WorkListAnswer
from .recorded import RecordedRoute, at_station

router = APIRouter(tags=["registrar"], route_class=RecordedRoute)

_SEPARATOR = "_"


@router.get("/v1/permits", responses=documents.read(WorkListAnswer))
async def work_list(
    request: Request,
    caller: Annotated[Principal, Security(at_station(Scope.PERMITS_WRITE))],
    service: Annotated[Services, Depends(services)],
    views: Annotated[Reads, Depends(reads)],
    station: Annotated[
        str | None,
        Query(max_length=200, description="the token's own, and so if left out"),
        Printable,
    ] = None,
    status: Annotated[
        ListedStatus | None, Query(description="of the permit or of its card")
    ] = None,
    window: Annotated[
        EndorsementWindow | None,
        Query(description="where today is to the endorsement window; `closing`: within 7 days"),
    ] = None,
    updated_since: Annotated[
        QueryInstant | None, Query(description="only those with an event from then on")
    ] = None,
    before: Annotated[
        str | None, Query(max_length=64, description="`next_before` of the page before"), Printable
    ] = None,
    limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = 50,
) -> Response:
    """List the permits that the own station has issued, without personal details: what closes
    soonest first, of overdue ones the latest, of waiting cards the earliest, else the latest
    change."""
    if station is not None and station != caller.station:
        raise HttpProblem(403, "FORBIDDEN", "This is not the token's own station.")
    selection = Selection(
        station=caller.station or "",
        today=shanghai_date(service.clock.now()),
        status=status,
        window=window,
        updated_since=updated_since,
    )
    try:
        place = _parsed(before) if before is not None else None
        found = await views.listed(lambda: service.work_lists.page(selection, place, limit))
    except NotAPlace:
        problem = "before: the `next_before` of a page of this list is expected"
        raise HttpProblem(422, "INVALID_REQUEST", problem) from None
    next_before = _written(found.next_place) if found.next_place else None
    response = listed(
        {
            "station": selection.station,
            "today": selection.today,
            "permits": [
                with_position(_document(one, service), found.as_of_position)
                for one in found.permits
            ],
            "quarantined": found.quarantined,
            "counts": found.counts or None,
            "next_before": next_before,
        },
        found,
    )
    response.headers.update(next_page(request, before=next_before))
    return response


def _document(one: Listed, service: Services) -> Json:
    return {
        **permit_document(service.standing(one.facts)),
        "updated_at": one.updated_at,
        "card_due_on": one.card_due_on,
        "card_delivered_on": one.card_delivered_on,
    }


def _written(place: Place) -> str:
    at = place.at.isoformat().replace("+00:00", "Z")  # a plus sign does not survive every client
    return f"{at}{_SEPARATOR}{place.permit_number}"


def _parsed(text: str) -> Place:
    """
    Raises:
        NotAPlace
    """
    at, _, number = text.partition(_SEPARATOR)
    if not (number.isascii() and number.isalnum()):
        raise NotAPlace
    try:
        if "T" not in at:
            return Place(date.fromisoformat(at), number)
        return Place(instant_of(at).astimezone(UTC), number)
    except (ValueError, OverflowError):
        raise NotAPlace from None
