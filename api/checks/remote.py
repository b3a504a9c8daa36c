"""Checks beside a remote database: of cards only, without anything personal, and with their age.

A live code is good once, and only in the ledger that made it: an electronic permit is always
`undetermined` here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import APIRouter, Depends, Request, Security
from starlette.responses import Response

from api.http import documents
from api.http.dpop import SeenProofs
from api.http.json_bodies import JsonRoute
from api.http.rate_limits import CheckLimits, RateLimit
from api.http.rendering import Json
from api.http.roles import Scope
from api.http.security import require
from api.http.tokens import Principal, TokenVerifier
from domain import permit_number
from domain.calendar import shanghai_date
from domain.policy import Policy
from domain.standing import Standing
from domain.verification import (
    CardCode,
    Outcome,
    Reason,
    Verdict,
    needs_code,
    scenario_fields,
    verify_card,
)
from ledger.checks.card_codes import CardCodes
from ledger.database.clock import Clock
from projections.queries.check_batcher import CheckBatcher
from projections.remote.cards import RemoteCard, RemoteCards

from .answers import RemoteCheckAnswer
from .checking import UNKNOWN, code_of, new_check, signed_response
from .receipts import ReceiptSigner
from .schemas import CheckBody, PhysicalCheckBody
from .verifier import VERIFICATIONS

if TYPE_CHECKING:  # built on this package
    from api.operations.metrics_access import MetricsAccess

router = APIRouter(tags=["verifier"], route_class=JsonRoute)

HELD_CENTRALLY = "held_centrally"
_UNDETERMINED = Verdict(Reason.UNDETERMINED)


@dataclass(frozen=True, slots=True)
class RemoteServices:
    """What the routers of a remote service work with; without ``card_codes``, a check that brings a
    code, or has to, is undetermined."""

    cards: RemoteCards
    checks: CheckBatcher
    limits: CheckLimits
    fruitless: RateLimit
    card_codes: CardCodes | None
    clock: Clock
    policy: Policy
    tokens: TokenVerifier
    proofs: SeenProofs
    receipts: ReceiptSigner
    metrics_access: MetricsAccess
    sessions: None = None
    holder_numbers: None = None
    """Pages are the ledger's own."""
    public_url: str | None = None

    def stop_streaming(self) -> None:
        """Do nothing: a remote service has no streams."""


async def remote_services(request: Request) -> RemoteServices:
    return cast("RemoteServices", request.app.state.services)


Verifier = Annotated[Principal, Security(require(Scope.VERIFY))]
Service = Annotated[RemoteServices, Depends(remote_services)]


@router.post(
    VERIFICATIONS,
    responses=documents.problems(401, 403, 413, 422, 429, 503)
    | {200: {"model": RemoteCheckAnswer}},
)
async def verify(body: CheckBody, verifier: Verifier, service: Service) -> Response:
    """Check a card: effective, or the one reason why not, as of some seconds ago. `undetermined`
    where that is longer than the policy allows, and for every electronic permit. On record here
    before it is answered; the name is held by the central ledger alone."""
    fields = scenario_fields(service.policy, body.scenario, verifier.scenarios)
    if not fields:
        service.fruitless.spend(verifier.subject)
    number = _number(body)
    verifier_index = service.limits.verifier_index(verifier.subject)
    service.limits.check(verifier_index, number if fields else None, body.scenario)
    now = service.clock.now()
    found = await service.cards.card(number) if number else None
    standing = None
    if found and found.seen.facts:
        standing = Standing(found.seen.facts, shanghai_date(now))
    code = None
    verdict = Verdict(Reason.SCENARIO_NOT_ALLOWED)
    if fields:
        code, verdict = _verdict(body, found, standing, service)
    permit: Json = {}
    if standing and verdict.outcome is Outcome.EFFECTIVE:
        permit = {
            "valid_until": standing.valid_until.isoformat(),
            "card_serial": standing.facts.card.serial,
        }
    check = new_check(
        body,
        verifier,
        verdict,
        permit,
        checked_at=now,
        permit_number=number,
        as_of_position=found.seen.as_of_position if found else 0,
        card_code=code,
    )
    await service.checks.record(check.record(verifier_index, None))
    age = _age(found)
    return signed_response(check, permit, service.receipts, age, personal_data=HELD_CENTRALLY)


def _age(found: RemoteCard | None) -> Json:
    stale_s = None if found is None or found.stale_s is None else round(found.stale_s, 1)
    return {"remote": True, "stale_s": stale_s}


def _number(body: CheckBody) -> str | None:
    """Return a well-formed number; anything else, such as a citizen number, is not kept."""
    if isinstance(body, PhysicalCheckBody):
        return permit_number.parse(body.permit_number)
    return None


def _verdict(
    body: CheckBody, found: RemoteCard | None, standing: Standing | None, service: RemoteServices
) -> tuple[CardCode | None, Verdict]:
    """Decide on the code first: without the right one the answer is that for no such permit."""
    if not isinstance(body, PhysicalCheckBody):
        return None, _UNDETERMINED
    code: CardCode | None = None
    if service.card_codes is not None:
        code = code_of(body, _number(body), standing, service.policy, service.card_codes)
    elif body.card_code is not None:
        return None, _UNDETERMINED
    elif needs_code(standing, service.policy):
        code = CardCode.MISSING
    if found is None or code in {CardCode.WRONG, CardCode.MISSING}:
        return code, UNKNOWN
    if not found.is_fit(service.policy.remote_staleness_max_s):
        return code, _UNDETERMINED
    return code, verify_card(standing, body.card_serial, code)
