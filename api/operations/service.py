"""For operators: liveness, readiness, metrics; and the public keys that verify receipts."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.http import documents, problems
from api.http.metrics import REGISTRY, UNUSUAL_DAYS, set_vitals
from api.http.services import Services, services
from ledger.errors import Unavailable

from .answers import Readiness

router = APIRouter(tags=["operations"])

Service = Annotated[Services, Depends(services)]


@router.get("/")
async def index(response: Response) -> dict[str, str]:
    """Links to the service's documents."""
    response.headers["Vary"] = "Accept"  # clients that prefer HTML get a page
    return {
        "service": "permit-ledger",
        "openapi": "/openapi.json",
        "health": "/healthz",
        "readiness": "/readyz",
        "metrics": "/metrics",
    }


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers; the database is not checked."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    responses=documents.problems(503) | {200: {"model": Readiness}},
)
async def ready(service: Service) -> Response:
    """The database answers, and the views keep up; the problem says where both are.

    While the views are behind, checks, single permits and writes are served; lists and searches
    answer from what there is.
    """
    log, views = await service.reader.positions()
    lag = log - views
    if lag > service.ready_lag_events_max:
        positions = {"log_position": log, "views_position": views, "lag_events": lag}
        return problems.unavailable(f"The views are {lag} events behind the log.", **positions)
    content = Readiness(ready=True, log_position=log, views_position=views, lag_events=lag)
    return JSONResponse(content.model_dump())


@router.get("/metrics", response_class=Response, responses=documents.problems(401, 403))
async def metrics(service: Service, request: Request) -> Response:
    """Prometheus text; without the database's figures while it is unavailable.

    For programs on the service's own machine, or with the operator's token for metrics.
    """
    service.metrics_access.require(request)
    with suppress(Unavailable):  # the scrape still has this process's figures
        set_vitals(await service.reader.vitals())
    for question, days in (await service.stats.published.unusual()).items():
        UNUSUAL_DAYS.labels(question).set(days)
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


@router.get("/.well-known/jwks.json")
async def jwks(service: Service) -> dict[str, Any]:
    """The public keys that verify receipts (RFC 7517)."""
    return service.receipts.jwks()
