"""Who has read the holder's permits and applications at a counter (窗口查阅)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, Security

from api.http import documents
from api.http.reading import next_page, readable
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.tokens import Principal
from ledger.checks.registrar_reads import READS_MAX, RecordedRegistrarRead
from ledger.eventlog.follow import POSITION_MAX

from .answers import RegistrarReadAnswer, RegistrarReadsAnswer

router = APIRouter(tags=["holder"])

BeforeRead = Annotated[
    int | None, Query(ge=1, le=POSITION_MAX, description="only reads before this position")
]
ReadsLimit = Annotated[int, Query(ge=1, le=READS_MAX)]


@router.get("/v1/me/reads", responses=documents.problems(401, 403, 422, 503))
async def own_reads(
    request: Request,
    response: Response,
    holder: Annotated[Principal, Security(require(Scope.HOLDER))],
    service: Annotated[Services, Depends(services)],
    before: BeforeRead = None,
    limit: ReadsLimit = 50,
) -> RegistrarReadsAnswer:
    """List registrars' reads of the own permits and applications, the newest first."""
    found = await service.registrar_reads.of_holder(holder.subject, before or POSITION_MAX, limit)
    return page_of(request, response, found, limit)


def page_of(
    request: Request, response: Response, found: Sequence[RecordedRegistrarRead], limit: int
) -> RegistrarReadsAnswer:
    """Render a page of reads, with the link to the next one."""
    next_before = found[-1].position if len(found) == limit else None
    response.headers.update(next_page(request, before=next_before))
    reads, others = readable(
        RegistrarReadAnswer, [(read.position, read._asdict()) for read in found]
    )
    return RegistrarReadsAnswer(reads=reads, unreadable=others, next_before=next_before)
