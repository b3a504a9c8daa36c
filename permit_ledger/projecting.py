"""The ``project`` role: one projector."""

from __future__ import annotations

import signal
from threading import Event

from projections.runner import Projector
from projections.view import all_views

from . import keys
from .settings import Settings
from .supervisor import tie_to_supervisor
from .workbench import database


def project(settings: Settings) -> None:
    """Keep the views, until SIGTERM."""
    tie_to_supervisor()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with database(settings) as database_url:
        Projector(database_url, all_views(keys.blind_index(settings)), stop).run()
