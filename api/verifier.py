"""The verifier's endpoint: an officer checks a card."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

import orjson
import structlog
from fastapi import APIRouter, Depends, Security
from starlette.responses import Response

from domain import permit_number
from domain.verification import Reason, Verdict, scenario_fields, scenario_on_record, verify_card
from ledger.checks import Check
from ledger.database import translated_errors
from ledger.errors import Corrupt, Unavailable
from projections.reading import Person, Seen

from . import documents
from .answers import CheckAnswer
from .presentation import Json, disclosed
from .roles import Scope
from .schemas import CheckBody, PhysicalCheckBody
from .security import require
from .services import Services, services
from .tokens import Principal

router = APIRouter(tags=["verifier"])

_log = structlog.get_logger(__name__)

Verifier = Annotated[Principal, Security(require(Scope.VERIFY))]
Service = Annotated[Services, Depends(services)]


@router.post(
    "/v1/verifications",
    responses=documents.problems(401, 403, 413, 422, 503) | {200: {"model": CheckAnswer}},
)
async def verify(body: CheckBody, verifier: Verifier, service: Service) -> Response:
    """Check a permit: effective, or the one reason why not. On record before it is answered."""
    fields = scenario_fields(service.policy, body.scenario, verifier.scenarios)
    seen = await _seen(body, service)
    verdict = _verdict(body, seen, service) if fields else Verdict(Reason.SCENARIO_NOT_ALLOWED)
    permit: Json = {}
    if fields and seen and seen.facts and verdict.reason is None:
        if person := await _person(seen, service):
            permit = disclosed(fields, service.standing(seen.facts), seen, person)
        else:
            verdict = Verdict(Reason.UNDETERMINED)
    check = Check(
        check_id=uuid4(),
        checked_at=service.clock.now(),
        verifier=verifier.subject,
        scenario=scenario_on_record(body.scenario),
        track=body.track,
        permit_number=_well_formed_number(body),
        card_serial=body.card_serial if isinstance(body, PhysicalCheckBody) else None,
        outcome=verdict.outcome,
        reason=verdict.reason,
        fields=list(permit),
        as_of_position=seen.as_of_position if seen else 0,
    )
    with translated_errors():
        async with service.pool.connection() as connection:
            await check.record(connection)
    return _answer(check, permit, service)


async def _seen(body: CheckBody, service: Services) -> Seen | None:
    """The permit at a position that holds everything committed before this check came in."""
    number = _well_formed_number(body) or ""
    seen = await service.reader.for_check(number)
    head = seen.head or 0
    if seen.as_of_position >= head:
        return seen
    if not await service.views.wait_for(head, service.check_wait_s):
        return None
    seen = await service.reader.for_check(number)
    return seen if seen.as_of_position >= head else None


async def _person(seen: Seen, service: Services) -> Person | None:
    """Who is to be shown. A record that can't be opened is not shown as somebody else's."""
    try:
        return await service.reader.person(seen, "physical")
    except (Corrupt, Unavailable) as error:
        _log.error("a person can't be shown", reason=error.detail)
        return None


def _well_formed_number(body: CheckBody) -> str | None:
    """What was asked for, where it could be a permit number: known or not makes no difference, and
    a citizen number typed into the wrong field is not kept."""
    if isinstance(body, PhysicalCheckBody) and permit_number.is_valid(body.permit_number):
        return body.permit_number
    return None


def _verdict(body: CheckBody, seen: Seen | None, service: Services) -> Verdict:
    if not isinstance(body, PhysicalCheckBody):
        return Verdict(Reason.NOT_LIVE)
    if seen is None:
        return Verdict(Reason.UNDETERMINED)
    return verify_card(service.standing(seen.facts) if seen.facts else None, body.card_serial)


def _answer(check: Check, permit: Json, service: Services) -> Response:
    claims: Json = {
        "check_id": str(check.check_id),
        "outcome": check.outcome,
        "reason": check.reason,
        "scenario": check.scenario,
        "track": check.track,
        "checked_at": check.checked_at.isoformat(),
        "as_of_position": check.as_of_position,
    }
    number = {"permit_number": check.permit_number} if check.permit_number else {}
    issued_at = int(check.checked_at.timestamp())
    receipt = service.receipts.sign({**claims, **number, "iat": issued_at})
    content = orjson.dumps({**claims, "permit": permit, "receipt": receipt})
    return Response(content, 200, media_type="application/json")
