"""For operators of a remote service: liveness, readiness, metrics; and its public keys."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.checks.remote import RemoteServices, remote_services
from api.http import documents
from api.http.metrics import REGISTRY, set_remote_state
from ledger.errors import Unavailable
from projections.remote.source import is_fresh

from . import service as operations
from .answers import RemoteReadiness

router = APIRouter(tags=["operations"])

Service = Annotated[RemoteServices, Depends(remote_services)]

router.get("/")(operations.index)
router.get("/healthz")(operations.alive)


@router.get("/readyz", responses=documents.problems(503) | {200: {"model": RemoteReadiness}})
async def ready(service: Service) -> JSONResponse:
    """The database answers, and its views are not older than the policy allows."""
    feed = await service.cards.state()
    stale_s, stale_s_max = feed.stale_s, service.policy.remote_staleness_max_s
    if stale_s is None:
        raise Unavailable("The views have never been in step with the ledger.")
    if not is_fresh(stale_s, stale_s_max):
        raise Unavailable(f"The views are {stale_s:.0f} s old, and {stale_s_max} s are allowed.")
    content = RemoteReadiness(
        ready=True,
        as_of_position=feed.position,
        stale_s=round(stale_s, 1),
        stale_s_max=stale_s_max,
        bad_records=feed.bad_records,
        quarantined_permits=feed.quarantined,
    )
    return JSONResponse(content.model_dump())


@router.get("/metrics", response_class=Response, responses=documents.problems(401, 403))
async def metrics(service: Service, request: Request) -> Response:
    """Prometheus text; without the database's figures while it is unavailable.

    For programs on the service's own machine, or with the operator's token for metrics.
    """
    service.metrics_access.require(request)
    with suppress(Unavailable):
        set_remote_state(await service.cards.state())
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


@router.get("/.well-known/jwks.json")
async def jwks(service: Service) -> dict[str, object]:
    """The public keys that verify receipts signed here (RFC 7517)."""
    return service.receipts.jwks()
