"""The statistics: figures, charts, exports. They need no token: no permit and no officer is in
them, small numbers are withheld, and they change in steps that hide what one event has changed.
Staff get the newest figures."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Path, Request, Security
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.http import documents
from api.http.admission import client_of
from api.http.reading import known_tags
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.streams import EventStream
from api.http.tokens import Principal
from api.permits.recorded import at_station
from ledger.errors import Unavailable

from .answers import StaffStatsAnswer, StatsAnswer, SupervisionAnswer

router = APIRouter(tags=["stats"])

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "svg": "image/svg+xml",
}
_SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_UNCHANGED: documents.Responses = {304: {"description": "still the same"}}
_FILE: documents.Responses = {
    200: {
        "description": "a table as CSV or Parquet, or a chart as SVG",
        "content": {media_type.split(";")[0]: _BINARY for media_type in MEDIA_TYPES.values()},
    }
}

Service = Annotated[Services, Depends(services)]
Staff = Annotated[
    Principal,
    Security(
        at_station(Scope.PERMITS_WRITE, Scope.APPLICATIONS_WRITE, Scope.AUDIT_READ, Scope.OPERATE)
    ),
]
Supervisor = Annotated[Principal, Security(require(Scope.AUDIT_SUPERVISE))]


@router.get(
    "/v1/stats",
    response_model=StatsAnswer,
    responses=_UNCHANGED | documents.problems(422, 503),
    dependencies=[Depends(known_tags)],
)
async def stats(service: Service) -> Response:
    """All figures, and the names of the charts, as of a position of the log."""
    found = await service.stats.published.stats()
    if found is None:
        raise Unavailable("No statistics are published here yet.")
    headers = {"Cache-Control": ASK_AGAIN, "ETag": f'"{found.digest}"'}
    position = orjson.loads(found.content)["as_of_position"]
    return Response(
        found.content, 200, headers | {"Ledger-Position": str(position)}, "application/json"
    )


@router.get("/v1/stats/staff", responses=documents.read(StaffStatsAnswer))
async def staff(service: Service, _: Staff) -> Response:
    """All figures as of the newest event that is counted, exactly; small local counts withheld."""
    return _newest(await service.stats.published.live())


@router.get("/v1/stats/supervision", responses=documents.read(SupervisionAnswer))
async def supervision(service: Service, _: Supervisor) -> Response:
    """What officers and verifiers did on each of the last thirty days: endings and corrections,
    reads, different permits checked by card. An unusual day is one to ask about, not a finding."""
    return _newest(await service.stats.published.supervision())


@router.get("/v1/stats/live", responses=documents.streamed(429))
async def live(request: Request, service: Service) -> EventStream:
    """A `stats` event with the digest of the newest statistics, now and whenever it changes."""
    return service.stats.stream(client_of(request))


@router.get(
    "/v1/stats/files/{name}",
    response_class=Response,
    responses=_FILE | _UNCHANGED | documents.problems(404, 422),
    dependencies=[Depends(known_tags)],
)
async def file(name: Annotated[str, Path(max_length=100)], service: Service) -> Response:
    """A file that `/v1/stats` names: `<question>.csv`, `<question>.parquet` or a chart."""
    content = await service.stats.published.file(name)
    if content is None:
        raise HTTPException(404, "There is no such file.")
    kind = name.rpartition(".")[2]
    headers = {"X-Content-Type-Options": "nosniff"}
    if kind == "svg":
        headers |= {"Cache-Control": FOR_EVER, "Content-Security-Policy": _SVG_POLICY}
    else:
        attachment = f'attachment; filename="{name}"'
        digest = await asyncio.to_thread(hashlib.sha256, content)
        headers |= {
            "Cache-Control": ASK_AGAIN,
            "Content-Disposition": attachment,
            "ETag": f'"{digest.hexdigest()[:24]}"',
        }
    return Response(content, 200, headers, MEDIA_TYPES[kind])


def _newest(content: bytes | None) -> Response:
    if content is None:
        raise Unavailable("No statistics are published here yet.")
    position = str(orjson.loads(content)["as_of_position"])
    return Response(content, 200, {"Ledger-Position": position}, "application/json")
