"""The two applications: their routers, problems, and the frame around every request."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .audit import absence, data_protection, evidence
from .audit import id_cards as audit_id_cards
from .audit import investigator as audit
from .checks import frames, own_checks, verifier
from .checks import remote as remote_checks
from .http import documents, problems
from .http.addresses import KnownHosts
from .http.direct import DirectRoutes
from .http.middleware import NO_EXCEPTIONS, OF_EVERY_ENDPOINT, RequestFrame
from .id_cards import counter as id_cards
from .operations import live_summary, quarantine, stats
from .operations import remote as remote_operations
from .operations import service as operations
from .permits import display, holder, live, own_reads, registrar, work_list
from .tlog import log as tlog
from .tlog import witnesses as tlog_witnesses

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

DESCRIPTION = """Residence permits (居住证): issued once, held on two tracks, endorsed together.

Every write takes an `Idempotency-Key` and answers with `Ledger-Position`; every read takes
`min_position` and says which position it is as of. Errors are RFC 9457 problem documents.

A token that is bound to a key comes as `Authorization: DPoP` with a proof in `DPoP` (RFC 9449).
Reads of one permit or application have an `ETag`, for `If-None-Match` on reads and `If-Match` on
writes.
"""
REMOTE_DESCRIPTION = """Checks of cards (实体居住证), far from the ledger.

Each answer says how old it is, and is `undetermined` where that is older than the policy allows.
Nothing personal is here.
"""


class Application(FastAPI):
    """FastAPI's application with problem documents for all errors, in our frame, and with a direct
    path to its endpoints."""

    def __init__(
        self,
        routers: Iterable[APIRouter],
        *,
        pages: Iterable[APIRouter] = (),
        body_bytes_max_of: Mapping[str, int] = NO_EXCEPTIONS,
        hosts: KnownHosts | None = None,
        **options: Any,
    ) -> None:
        """``pages`` take precedence over ``routers``; only they ignore unknown query parameters.
        With ``hosts``, requests under other names are 421."""
        super().__init__(
            **options,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            redirect_slashes=False,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            generate_unique_id_function=_operation_id,
        )
        pages, routers = list(pages), [*routers, self._description()]
        for router in pages:
            self.include_router(router)
        for router in routers:
            self.include_router(router, dependencies=OF_EVERY_ENDPOINT)
        problems.install(self)
        self.direct = DirectRoutes(
            routers, super().__call__, before=pages, dependencies=OF_EVERY_ENDPOINT
        )
        self._framed = RequestFrame(self.direct, body_bytes_max_of=body_bytes_max_of, hosts=hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._framed(scope, receive, send)

    def _description(self) -> APIRouter:
        """Make the endpoint of the API's description."""
        router = APIRouter(tags=["description"], include_in_schema=False)

        @router.get("/openapi.json")
        async def openapi() -> Response:
            content = await asyncio.to_thread(self._rendered_description)
            tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
            headers = {"ETag": tag, "Cache-Control": "public, no-cache"}
            return Response(content, 200, headers, "application/json")

        return router

    @lru_cache(maxsize=1)  # noqa: B019  an application lives as long as its process
    def _rendered_description(self) -> bytes:
        """Render it once: it is large, and anyone may ask for it."""
        return orjson.dumps(self.openapi())

    def openapi(self) -> dict[str, Any]:
        """Describe the problem document in place of FastAPI's own validation error, which every
        endpoint may answer: it refuses unknown query parameters."""
        schema = super().openapi()
        schemas = schema["components"]["schemas"]
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        own = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(own.pop("$defs"))
        schemas["Problem"] = own
        for methods in schema["paths"].values():
            for operation in methods.values():
                operation["responses"].setdefault("422", documents.problems(422)[422])
        return schema


def create_app(
    lifespan: Lifespan,
    *,
    version: str,
    development: APIRouter | None = None,
    pages: Sequence[APIRouter] = (),
    hosts: KnownHosts | None = None,
) -> FastAPI:
    """Make the central application.

    Args:
        lifespan: Puts :class:`api.http.services.Services` into the application's state.
        version: Of the program.
        development: Endpoints that exist in development mode only.
        pages: Take precedence where the API has the same path.
        hosts: By which callers may ask; ``None`` for any.
    """
    return Application(
        (
            registrar.router,
            absence.router,
            work_list.router,
            id_cards.router,
            holder.router,
            display.router,
            own_checks.router,
            own_reads.router,
            verifier.router,
            frames.router,
            live.router,
            live_summary.router,
            audit.router,
            evidence.router,
            audit_id_cards.router,
            data_protection.router,
            data_protection.requests,
            quarantine.router,
            tlog.entries,
            tlog.router,
            tlog_witnesses.router,
            stats.router,
            operations.router,
            *([development] if development else []),
        ),
        title="Permit ledger",
        description=DESCRIPTION,
        version=version,
        lifespan=lifespan,
        pages=pages,
        hosts=hosts,
        body_bytes_max_of={frames.FRAMES: frames.FRAME_BYTES_MAX},
    )


def create_remote_app(
    lifespan: Lifespan,
    *,
    version: str,
    development: APIRouter | None = None,
    hosts: KnownHosts | None = None,
) -> FastAPI:
    """Make the application of a remote database: checks of cards.

    ``lifespan`` puts :class:`api.checks.remote.RemoteServices` into the application's state;
    ``hosts`` as of :func:`create_app`.
    """
    return Application(
        (
            remote_checks.router,
            remote_operations.router,
            *([development] if development else []),
        ),
        title="Permit ledger, remote checks",
        description=REMOTE_DESCRIPTION,
        version=version,
        lifespan=lifespan,
        hosts=hosts,
    )


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0]}-{route.name}"
