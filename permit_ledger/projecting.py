"""The ``project`` role: one projector."""

from __future__ import annotations

import signal

from projections.runner import Projector
from projections.view import all_views

from . import keys
from .settings import Settings
from .stopping import stop_on
from .supervisor import tie_to_supervisor
from .workbench import database


def project(settings: Settings) -> None:
    """Keep the views, until SIGTERM."""
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    with database(settings) as database_url:
        Projector(database_url, all_views(keys.blind_index(settings)), stop).run()
