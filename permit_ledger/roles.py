"""One role each, for deployments that run them apart: ``api``, ``project``."""

from __future__ import annotations

import signal
from threading import Event

import uvicorn

from projections.runner import Projector
from projections.view import all_views

from . import keys
from .settings import Settings
from .supervisor import tie_to_supervisor
from .wiring import http_service
from .workbench import database

GRACEFUL_SHUTDOWN_S = 5
KEEP_ALIVE_S = 30
BACKLOG = 2048


def serve(settings: Settings) -> None:
    """The HTTP API, until SIGTERM."""
    tie_to_supervisor()
    with database(settings) as database_url:
        uvicorn.run(
            http_service(settings, database_url),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        )


def project(settings: Settings) -> None:
    """Keep the views, until SIGTERM."""
    tie_to_supervisor()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with database(settings) as database_url:
        Projector(database_url, all_views(keys.blind_index(settings)), stop).run()
