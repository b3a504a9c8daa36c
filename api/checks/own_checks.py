"""Checks of the holder's own permits (谁查了我), and their receipts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, Security

from api.http import documents
from api.http.reading import next_page, unreadable
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.tokens import Principal
from domain.personal import ERASED
from domain.verification import CardCode
from ledger.checks.history import CHECKS_MAX
from ledger.checks.log import Check
from ledger.eventlog.follow import POSITION_MAX

from .answers import OwnCheckAnswer, OwnChecksAnswer, ReceiptAnswer
from .checking import receipt_claims

router = APIRouter(tags=["holder"])

Holder = Annotated[Principal, Security(require(Scope.HOLDER))]
Service = Annotated[Services, Depends(services)]


@router.get("/v1/me/checks", responses=documents.problems(401, 403, 422, 503))
async def own_checks(
    request: Request,
    response: Response,
    holder: Holder,
    service: Service,
    before: Annotated[
        int | None,
        Query(ge=1, le=POSITION_MAX, description="only checks before this position"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=CHECKS_MAX)] = 50,
) -> OwnChecksAnswer:
    """List the checks of the own permits, the newest first, refused ones too. A record that can't
    be read is named by its position."""
    found = await service.history.of_holder(holder.subject, before or POSITION_MAX, limit)
    next_before = found[-1][0] if len(found) == limit else None
    response.headers.update(next_page(request, before=next_before))
    return OwnChecksAnswer(
        checks=[shown(position, check) for position, check in found if check],
        unreadable=unreadable([position for position, check in found if check is None]),
        next_before=next_before,
    )


@router.get("/v1/me/receipts/{check_id}", responses=documents.problems(401, 403, 404, 422, 503))
async def own_receipt(check_id: UUID, holder: Holder, service: Service) -> ReceiptAnswer:
    """Sign the claims of the verifier's receipt again; 404 also for a check whose record does not
    prove that the service made it, such as one of an earlier version."""
    check = await service.history.proven(check_id, holder.subject)
    return ReceiptAnswer(check_id=check_id, receipt=service.receipts.sign(receipt_claims(check)))


def shown(position: int, check: Check) -> OwnCheckAnswer:
    """Render a check for the holder."""
    return OwnCheckAnswer(
        position=position,
        check_id=check.check_id,
        checked_at=check.checked_at,
        permit_number=check.permit_number,
        track=check.track,
        scenario=check.scenario,
        outcome=check.outcome,
        reason=check.reason,
        as_of_position=check.as_of_position,
        verifier=None if check.verifier is ERASED else check.verifier,
        fields=None if check.fields is ERASED else check.fields,
        card_serial=None if check.card_serial is ERASED else check.card_serial,
        card_code=None if check.card_code in {None, ERASED} else CardCode(str(check.card_code)),
        device=None if check.device is ERASED else check.device,
    )
