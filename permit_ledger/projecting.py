"""The ``project`` role: one projector."""

from __future__ import annotations

import signal

from ledger.holder_keys import HolderKeys
from projections.runner import Projector
from projections.view import all_views

from . import keys
from .key_encryption import keyring
from .settings import Settings
from .stopping import stop_on
from .supervisor import tie_to_supervisor
from .workbench import database


def project(settings: Settings) -> None:
    """Keep the views, until SIGTERM."""
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    with database(settings) as database_url:
        views = all_views(keys.blind_index(settings))
        Projector(database_url, views, HolderKeys(keyring(settings)), stop).run()
