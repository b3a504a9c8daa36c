"""The ``project`` role: one projector."""

from __future__ import annotations

import gc
import signal

from ledger.holder_keys import HolderKeys
from projections.opening import EventOpener
from projections.runner import Projector
from projections.view import all_views

from . import keys
from .key_encryption import keyring
from .settings import Settings
from .stopping import stop_on
from .supervisor import tie_to_supervisor
from .tracebacks import describe
from .workbench import database

GC_OBJECTS = 50_000
"""A page's events are no garbage yet when the collector comes by after the usual 700."""


def project(settings: Settings) -> None:
    """Keep the views, until SIGTERM."""
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    with database(settings) as database_url:
        views = all_views(keys.blind_index(settings))
        opener = EventOpener(HolderKeys(keyring(settings)), describe)
        gc.freeze()
        gc.set_threshold(GC_OBJECTS)
        Projector(database_url, views, opener, stop).run()
