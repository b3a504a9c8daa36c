"""The ``api`` role: one HTTP server."""

from __future__ import annotations

import gc
import sys
from contextlib import ExitStack, suppress
from socket import socket
from typing import Any

import uvicorn

from api.http.services import Services
from ledger.database.connections import connect
from permit_ledger.bootstrap.cli_context import database
from permit_ledger.bootstrap.remote import remote_http_service
from permit_ledger.bootstrap.service import http_service
from permit_ledger.settings import Settings
from projections.remote.source import remote_source_of

from .listening import bind, require_loopback
from .protocol import BoundedHttp
from .supervisor import tie_to_supervisor

GRACEFUL_SHUTDOWN_S = 5
KEEP_ALIVE_S = 30
BACKLOG = 2048
STARTUP_FAILURE = 3
GARBAGE_THRESHOLDS = 20_000, 20, 20
"""Objects of current requests are not garbage: a collection every 700 objects would find nothing,
and take a tenth of a check's time. Objects of the program itself are frozen."""
SWITCH_INTERVAL_S = 0.001
"""The group commit's thread runs between two commands; at the interpreter's default of 5 ms the
database would be idle that long each time."""


def serve(settings: Settings, *, is_far: bool = False) -> None:
    """Serve the HTTP API until SIGTERM; with remote views, checks of cards only.

    ``is_far`` declares the database remote before its first worker starts, so that it is not
    written to until then.

    Raises:
        CannotStart: the address can't be listened on, or no database server starts.
    """
    tie_to_supervisor()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if settings.development:
        require_loopback(settings.host)
    with database(settings) as database_url, ExitStack() as stack:
        sockets = bind(settings.host, settings.port)
        for each in sockets:
            stack.callback(each.close)
        with connect(database_url) as connection:
            is_far = is_far or remote_source_of(connection) is not None
        service = (remote_http_service if is_far else http_service)(settings, database_url)
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        config = uvicorn.Config(
            service,
            loop="uvloop",
            http=BoundedHttp,
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
            **proxy_options(settings),
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        )
        server = _Server(config)
        with suppress(KeyboardInterrupt):
            server.run(sockets)
        if not server.started:
            sys.exit(STARTUP_FAILURE)


def proxy_options(settings: Settings) -> dict[str, Any]:
    """Of uvicorn, which would believe every proxy on this machine otherwise."""
    trusted = settings.trusted_proxies
    return {"proxy_headers": trusted is not None, "forwarded_allow_ips": trusted or ""}


class _Server(uvicorn.Server):
    """End live streams first: the server waits for open responses, and these would not end."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        services: Services | None = getattr(self.config.app.state, "services", None)  # type: ignore[union-attr]  # a FastAPI
        if services:
            services.stop_streaming()
        await super().shutdown(sockets)
