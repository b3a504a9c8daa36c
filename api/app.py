"""The application: routers, problems and the frame around every request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import Receive, Scope, Send

from .audit import data_protection, evidence
from .audit import id_cards as audit_id_cards
from .audit import investigator as audit
from .checks import frames, own_checks, verifier
from .checks import remote as far_checks
from .checks.decoding import FRAME_BYTES_MAX
from .checks.express import ExpressLane, is_check
from .http import problems
from .http.conditional import ConditionalReads
from .http.middleware import RequestFrame
from .id_cards import counter as id_cards
from .operations import live_summary, quarantine, stats
from .operations import remote as far_operations
from .operations import service as operations
from .permits import display, holder, live, registrar
from .tlog import log as tlog
from .tlog import witnesses as tlog_witnesses

DESCRIPTION = """Residence permits (居住证): issued once, held on two tracks, endorsed together.

Every write takes an `Idempotency-Key` and answers with `Ledger-Position`; every read takes
`min_position` and says which position it is as of. Errors are RFC 9457 problem documents.

A token that is bound to a key comes as `Authorization: DPoP` with a proof in `DPoP` (RFC 9449).
Reads of one permit or application have an `ETag`, for `If-None-Match` on reads and `If-Match` on
writes.
"""
FAR_DESCRIPTION = """Checks of cards (实体居住证), far from the ledger.

Each answer says how old it is, and is `undetermined` where that is older than the policy allows.
Nothing personal is here.
"""


class Application(FastAPI):
    """FastAPI's, with a short way past it for checks, in the same frame."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._express = RequestFrame(ExpressLane())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_check(scope):
            scope["app"] = self
            await self._express(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    *,
    version: str,
    development: APIRouter | None = None,
    pages: Sequence[APIRouter] = (),
) -> FastAPI:
    """The ASGI application; ``lifespan`` puts :class:`api.http.services.Services` into its state.

    ``pages`` come first: where both have an address, they answer whom they are for.
    """
    app = Application(
        title="Permit ledger",
        version=version,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{route.tags[0]}-{route.name}",
    )
    for router in (
        *pages,
        registrar.router,
        id_cards.router,
        holder.router,
        display.router,
        own_checks.router,
        verifier.router,
        frames.router,
        live.router,
        live_summary.router,
        audit.router,
        evidence.router,
        audit_id_cards.router,
        data_protection.router,
        quarantine.router,
        tlog.router,
        tlog_witnesses.router,
        stats.router,
        operations.router,
    ):
        app.include_router(router)
    if development:
        app.include_router(development)
    problems.install(app)
    app.add_middleware(ConditionalReads)
    app.add_middleware(RequestFrame, body_bytes_max_of={frames.FRAMES: FRAME_BYTES_MAX})
    _document_problems(app)
    return app


def create_remote_app(
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    *,
    version: str,
    development: APIRouter | None = None,
) -> FastAPI:
    """The same beside a remote database: checks of cards. ``lifespan`` puts
    :class:`api.checks.remote.RemoteServices` into its state."""
    app = FastAPI(
        title="Permit ledger, remote checks",
        version=version,
        description=FAR_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{route.tags[0]}-{route.name}",
    )
    for router in (far_checks.router, far_operations.router):
        app.include_router(router)
    if development:
        app.include_router(development)
    problems.install(app)
    app.add_middleware(RequestFrame)
    _document_problems(app)
    return app


def _document_problems(app: FastAPI) -> None:
    """Our problem document, and not the validation answer that FastAPI would have given."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schemas = schema["components"]["schemas"]
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        own = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(own.pop("$defs"))
        schemas["Problem"] = own
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
