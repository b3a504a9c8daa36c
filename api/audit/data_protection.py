"""Data-protection requests: restrict the use of a holder's personal data, or erase it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Security
from starlette.responses import Response

from api.checks.receipts import ERASURE
from api.http import documents
from api.http.fields import Printable
from api.http.rendering import Json
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.tokens import Principal
from api.http.writing import answered, command_by
from ledger.commands.runner import Command

from .answers import (
    ErasureAnswer,
    ErasureRequestAnswer,
    ErasureRequestsAnswer,
    HolderAnswer,
    WaitingErasureAnswer,
)
from .audited import AuditedRoute, OrderRoute
from .schemas import OrderBody

_log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1/audit/holders", tags=["data-protection"], route_class=OrderRoute)

requests = APIRouter(
    prefix="/v1/audit/erasures", tags=["data-protection"], route_class=AuditedRoute
)

Officer = Annotated[Principal, Security(require(Scope.ERASE))]
OfficerCommand = Annotated[Command, Depends(command_by(Scope.ERASE))]
Service = Annotated[Services, Depends(services)]
HolderId = Annotated[str, Path(min_length=1, max_length=64), Printable]


@requests.get("", responses=documents.problems(401, 403, 429, 503))
async def waiting_erasures(officer: Officer, service: Service) -> ErasureRequestsAnswer:
    """List the requests to erase that wait for a second officer, the newest first. A permit or
    application that can't be read is named."""
    with service.whole_histories.place(officer.subject):
        waiting = await service.holders.waiting_erasures(service.clock.now())
    if waiting.unreadable:
        _log.error("requests to erase can't be read")
    return ErasureRequestsAnswer(
        requests=[
            ErasureRequestAnswer(
                holder_id=one.holder_id,
                permit_numbers=list(one.permit_numbers),
                legal_basis=one.request.legal_basis,
                case=one.request.case,
                approvals=[one.request.officer],
                expires_at=one.request.expires_at,
            )
            for one in waiting.requests
        ],
        unreadable=list(waiting.unreadable),
    )


@router.post("/{holder_id}/restrictions", responses=documents.written(HolderAnswer))
async def restrict(
    holder_id: HolderId, body: OrderBody, command: OfficerCommand, service: Service
) -> Response:
    """Restrict (限制处理): kept as the law requires, but not shown and not used for checks."""
    return await answered(service.holders.restrict(holder_id, body.order(), command), service)


@router.post("/{holder_id}/restriction-lifts", responses=documents.written(HolderAnswer))
async def lift_restriction(
    holder_id: HolderId, body: OrderBody, command: OfficerCommand, service: Service
) -> Response:
    """Lift a restriction (解除限制)."""
    return await answered(
        service.holders.lift_restriction(holder_id, body.order(), command), service
    )


@router.post(
    "/{holder_id}/erasures",
    status_code=201,
    responses={
        **documents.written(ErasureAnswer, 201),
        202: {"model": WaitingErasureAnswer, "description": "another officer has to approve"},
    },
)
async def erase(
    holder_id: HolderId, body: OrderBody, command: OfficerCommand, service: Service
) -> Response:
    """Erase (删除个人信息) permanently: 202 for the first officer's order, 201 with a certificate
    of what was destroyed for the same order of a second one."""
    retention = timedelta(days=service.backup_retention_days)
    kept_until = command.context.today + retention

    def certified(document: Json) -> Json:
        if "erased_at" not in document:
            return document
        issued_at = int(service.clock.now().timestamp())
        claims = {**document, "iat": issued_at}
        return {**document, "certificate": service.receipts.sign(claims, kind=ERASURE)}

    return await answered(
        service.holders.erase(holder_id, body.order(), kept_until, command),
        service,
        lambda document: 201 if "erased_at" in document else 202,
        complete=certified,
    )


@router.delete("/{holder_id}/erasures", responses=documents.written(HolderAnswer))
async def withdraw_erasure(
    holder_id: HolderId, command: OfficerCommand, service: Service
) -> Response:
    """Withdraw the request to erase that waits for a second officer (撤回删除申请)."""
    return await answered(service.holders.withdraw_erasure(holder_id, command), service)
