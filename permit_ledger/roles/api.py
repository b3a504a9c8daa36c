"""The ``api`` role: one HTTP server."""

from __future__ import annotations

import gc
import sys
from contextlib import ExitStack, suppress
from socket import socket

import uvicorn

from api.http.services import Services
from ledger.database.connections import connect
from permit_ledger.bootstrap.cli_context import database
from permit_ledger.bootstrap.remote import far_http_service
from permit_ledger.bootstrap.service import http_service
from permit_ledger.settings import Settings
from projections.remote.source import remote_source_of

from .listening import bind
from .protocol import BoundedHttp
from .supervisor import tie_to_supervisor

GRACEFUL_SHUTDOWN_S = 5
KEEP_ALIVE_S = 30
BACKLOG = 2048
STARTUP_FAILURE = 3
GARBAGE_THRESHOLDS = 20_000, 20, 20
"""Requests under way are no garbage: to look through them every 700 objects finds nothing, and
takes a tenth of a check. What the program consists of is not looked through at all."""
SWITCH_INTERVAL_S = 0.001
"""The group commit's thread hands over a batch between two commands; at the interpreter's 5 ms the
database would rest for that long each time."""


def serve(settings: Settings, *, is_far: bool = False) -> None:
    """The HTTP API, until SIGTERM; beside a database that is fed from Kafka, checks of cards alone.

    ``is_far`` says that it is one before the first worker has come: nobody writes to it meanwhile.

    Raises:
        CannotStart: the address can't be listened on, or no database server starts.
    """
    tie_to_supervisor()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with database(settings) as database_url, ExitStack() as stack:
        sockets = bind(settings.host, settings.port)
        for each in sockets:
            stack.callback(each.close)
        with connect(database_url) as connection:
            is_far = is_far or remote_source_of(connection) is not None
        service = (far_http_service if is_far else http_service)(settings, database_url)
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
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        )
        server = _Server(config)
        with suppress(KeyboardInterrupt):
            server.run(sockets)
        if not server.started:
            sys.exit(STARTUP_FAILURE)


class _Server(uvicorn.Server):
    """Ends live streams first: it waits for open answers, and those would go on by themselves."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        services: Services | None = getattr(self.config.app.state, "services", None)  # type: ignore[union-attr]  # a FastAPI
        if services:
            services.stop_streaming()
        await super().shutdown(sockets)
