"""The verifier's endpoints: an officer checks a card or a phone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response, Security

from api.http import documents, problems
from api.http.instants import QueryInstant
from api.http.json_bodies import JsonRoute
from api.http.reading import next_page, unreadable
from api.http.rendering import Json
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.tokens import Principal
from domain.errors import ScenarioNotAllowed
from domain.verification import may_challenge
from ledger.checks.history import CHECKS_MAX
from ledger.checks.log import Check
from ledger.eventlog.follow import POSITION_MAX

from .answers import (
    ChallengeAnswer,
    CheckAnswer,
    CheckBatchAnswer,
    VerifierCheckAnswer,
    VerifierChecksAnswer,
)
from .checking import answer, number_known_to_verifier, signed_document, signed_response
from .schemas import ChallengeBody, CheckBatchBody, CheckBody, PhysicalCheckBody

router = APIRouter(tags=["verifier"], route_class=JsonRoute)

VERIFICATIONS: Final = "/v1/verifications"

Verifier = Annotated[Principal, Security(require(Scope.VERIFY))]
Service = Annotated[Services, Depends(services)]
_FIRST_INSTANT: Final = datetime.min.replace(tzinfo=UTC)


@router.post(
    VERIFICATIONS,
    responses=documents.problems(401, 403, 413, 422, 429, 503) | {200: {"model": CheckAnswer}},
)
async def verify(body: CheckBody, verifier: Verifier, service: Service) -> Response:
    """Check a permit: effective, or the reason why not. Recorded before it is answered."""
    answered = await answer(body, verifier, service)
    return signed_response(answered.check, answered.permit, service.receipts)


@router.get(VERIFICATIONS, responses=documents.problems(401, 403, 422, 503))
async def own_verifications(
    request: Request,
    response: Response,
    verifier: Verifier,
    service: Service,
    since: Annotated[QueryInstant | None, Query(description="only checks from then on")] = None,
    before: Annotated[
        int | None, Query(ge=1, le=POSITION_MAX, description="`next_before` of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=CHECKS_MAX)] = 50,
) -> VerifierChecksAnswer:
    """List the account's own checks, the newest first, refused ones too, without what they have
    disclosed."""
    index = service.limits.verifier_index(verifier.subject)
    found = await service.history.of_verifier(index, since or _FIRST_INSTANT, before, limit)
    next_before = found[-1][0] if len(found) == limit else None
    response.headers.update(next_page(request, before=next_before))
    return VerifierChecksAnswer(
        checks=[_own(position, check) for position, check in found if check],
        unreadable=unreadable([position for position, check in found if check is None]),
        next_before=next_before,
    )


def _own(position: int, check: Check) -> VerifierCheckAnswer:
    return VerifierCheckAnswer(
        position=position,
        check_id=check.check_id,
        checked_at=check.checked_at,
        permit_number=number_known_to_verifier(check),
        track=check.track,
        scenario=check.scenario,
        outcome=check.outcome,
        reason=check.reason,
        as_of_position=check.as_of_position,
    )


@router.post(
    "/v1/verifications/batches",
    responses=documents.problems(401, 403, 413, 422, 429, 503) | {200: {"model": CheckBatchAnswer}},
)
async def verify_batch(
    request: Request, body: CheckBatchBody, verifier: Verifier, service: Service
) -> Response:
    """Check several cards, each as by itself: recorded, and counted in every limit. A check that
    could not be answered has a problem in its place; if none could, that of the first is the
    response."""

    async def one(check: PhysicalCheckBody) -> Json | Response:
        try:
            answered = await answer(check, verifier, service)
        except Exception as error:  # noqa: BLE001  the others have been recorded, and are answered
            return problems.of(request, error)
        return signed_document(answered.check, answered.permit, service.receipts)

    # Each spends its limits before it first waits, so in the order of the batch.
    found = await asyncio.gather(*map(one, body.checks))
    refused = [each for each in found if isinstance(each, Response)]
    if len(refused) == len(found):
        return refused[0]
    content = {"checks": [_in_batch(each) for each in found]}
    return Response(orjson.dumps(content), 200, media_type="application/json")


def _in_batch(each: Json | Response) -> Json:
    if not isinstance(each, Response):
        return each
    after = each.headers.get("Retry-After")
    return {**orjson.loads(each.body), "retry_after_s": int(after) if after else None}


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
