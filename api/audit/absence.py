"""That there never was a permit with a number: a proof for those who are told of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security
from starlette.responses import Response

from api.http import documents, problems
from api.http.problems import HttpProblem
from api.http.reading import well_formed
from api.http.roles import Scope
from api.http.services import Services, services
from api.http.tokens import Principal
from api.permits.recorded import RecordedRoute, at_station, is_registrar

from . import evidence

router = APIRouter(tags=["registrar"], route_class=RecordedRoute)

RegistrarOrHolder = Annotated[Principal, Security(at_station(Scope.PERMITS_WRITE, Scope.HOLDER))]
Service = Annotated[Services, Depends(services)]


@router.get(
    "/v1/permits/{permit_number}/absence",
    response_class=Response,
    responses=evidence.ZIP | documents.problems(401, 403, 404, 409, 422, 429, 503),
)
async def absence(
    request: Request, permit_number: str, caller: RegistrarOrHolder, service: Service
) -> Response:
    """Prove that nothing was recorded under a permit number up to now: evidence without events. If
    something was, there is no such proof: 409, and nothing of it is shown. Both test a guess at a
    number, so a registrar's request is on record, and an account may be wrong so often only."""
    number = well_formed(permit_number)
    if proof := await evidence.absence(number, caller, service):
        return proof
    if not is_registrar(caller):
        service.fruitless.spend(caller.subject)
    detail = "Something is recorded under this number: its absence can't be proved."
    return problems.of(request, HttpProblem(409, "CONFLICT", detail))
