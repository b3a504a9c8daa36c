"""Data-protection requests: restrict the use of a holder's personal data, or erase it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from api.checks.receipts import ERASURE
from api.http import documents
from api.http.fields import Printable
from api.http.rendering import Json
from api.http.roles import Scope
from api.http.services import Services, services
from api.http.writing import answered, command_by
from ledger.commands.runner import Command

from .answers import ErasureAnswer, HolderAnswer
from .audited import OrderRoute
from .schemas import ErasureBody, OrderBody

router = APIRouter(prefix="/v1/audit/holders", tags=["data-protection"], route_class=OrderRoute)

OfficerCommand = Annotated[Command, Depends(command_by(Scope.ERASE))]
Service = Annotated[Services, Depends(services)]
HolderId = Annotated[str, Path(min_length=1, max_length=64), Printable]


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


@router.post("/{holder_id}/erasures", responses=documents.written(ErasureAnswer))
async def erase(
    holder_id: HolderId, body: ErasureBody, command: OfficerCommand, service: Service
) -> Response:
    """Erase (删除个人信息) permanently: the answer is a certificate of what was destroyed."""
    retention = timedelta(days=service.backup_retention_days)
    kept_until = command.context.today + retention

    def certified(document: Json) -> Json:
        issued_at = int(service.clock.now().timestamp())
        claims = {**document, "iat": issued_at}
        return {**document, "certificate": service.receipts.sign(claims, kind=ERASURE)}

    return await answered(
        service.holders.erase(holder_id, body.order(), body.approvals, kept_until, command),
        service,
        complete=certified,
    )
