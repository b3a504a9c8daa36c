"""The verifier's endpoints: an officer checks a card or a phone."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Security
from starlette.responses import Response

from api.http import documents
from api.http.json_bodies import JsonRoute
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.tokens import Principal
from domain.errors import ScenarioNotAllowed
from domain.verification import may_challenge

from .answers import ChallengeAnswer, CheckAnswer
from .checking import answer, signed_response
from .schemas import ChallengeBody, CheckBody

router = APIRouter(tags=["verifier"], route_class=JsonRoute)

VERIFICATIONS: Final = "/v1/verifications"

Verifier = Annotated[Principal, Security(require(Scope.VERIFY))]
Service = Annotated[Services, Depends(services)]


@router.post(
    VERIFICATIONS,
    responses=documents.problems(401, 403, 413, 422, 429, 503) | {200: {"model": CheckAnswer}},
)
async def verify(body: CheckBody, verifier: Verifier, service: Service) -> Response:
    """Check a permit: effective, or the reason why not. Recorded before it is answered."""
    answered = await answer(body, verifier, service)
    return signed_response(answered.check, answered.permit, service.receipts)


@router.post(
    "/v1/verifications/challenges",
    status_code=201,
    responses=documents.problems(401, 403, 409, 413, 422, 429, 503),
)
async def ask_challenge(
    body: ChallengeBody, verifier: Verifier, service: Service
) -> ChallengeAnswer:
    """Make digits for the holder to type: the code with them is good for this verifier only."""
    if not may_challenge(service.policy, body.scenario, verifier.scenarios):
        raise ScenarioNotAllowed("In this scenario you may not ask for a challenge.")
    verifier_index = service.limits.verifier_index(verifier.subject)
    service.limits.check(verifier_index, None, body.scenario)
    now, life_s = service.clock.now(), service.policy.challenge_life_s
    digits = await service.codes.ask(verifier_index, body.scenario, now, life_s)
    return ChallengeAnswer(challenge=digits, expires_at=now + timedelta(seconds=life_s))
