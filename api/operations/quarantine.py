"""For operators: permits in quarantine, and their release."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Security

from api.http import documents
from api.http.fields import Empty
from api.http.json_bodies import JsonRoute
from api.http.reading import well_formed
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.tokens import Principal

from .answers import QuarantineAnswer, QuarantinedAnswer, RetriedAnswer

router = APIRouter(prefix="/v1/operations/quarantine", tags=["quarantine"], route_class=JsonRoute)

Operator = Annotated[Principal, Security(require(Scope.OPERATE))]
Service = Annotated[Services, Depends(services)]


@router.get("", responses=documents.problems(401, 403, 503))
async def parked(_: Operator, service: Service) -> QuarantineAnswer:
    """List the permits in quarantine, each with its reason and the number of events waiting."""
    position, permits = await asyncio.to_thread(service.quarantine.quarantined)
    return QuarantineAnswer(
        permits=[QuarantinedAnswer.model_validate(asdict(permit)) for permit in permits],
        as_of_position=position,
    )


@router.post(
    "/{permit_number}/retries",
    responses=documents.problems(401, 403, 404, 413, 422, 503),
)
async def retry(permit_number: str, _: Empty, __: Operator, service: Service) -> RetriedAnswer:
    """Fold a quarantined permit from the log again, and release it if that succeeds."""
    retried = await asyncio.to_thread(service.quarantine.retry, well_formed(permit_number))
    return RetriedAnswer.model_validate(asdict(retried))
