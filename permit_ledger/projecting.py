"""The ``project`` role: one projector, and the auditor beside it."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from ledger.holder_keys import HolderKeys
from projections.auditor import Auditor
from projections.opening import EventOpener
from projections.runner import Projector
from projections.views import all_views

from . import keys
from .key_encryption import keyring
from .settings import Settings
from .stopping import stop_on
from .supervisor import tie_to_supervisor
from .tracebacks import describe
from .workbench import database

GC_OBJECTS = 50_000
"""A page's events are no garbage yet when the collector comes by after the usual 700."""

AUDITOR_END_S = 2.0
"""What it is in the middle of takes milliseconds; whatever takes longer ends with the process."""


def project(settings: Settings) -> None:
    """Keep the views, until SIGTERM."""
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    with database(settings) as database_url:
        holder_keys = HolderKeys(keyring(settings))
        views = all_views(keys.blind_index(settings))
        gc.freeze()
        gc.set_threshold(GC_OBJECTS)
        with auditing(settings, database_url, holder_keys, stop):
            Projector(database_url, views, EventOpener(holder_keys, describe), stop).run()


@contextmanager
def auditing(
    settings: Settings, database_url: str, holder_keys: HolderKeys, stop: Event
) -> Iterator[None]:
    """In a thread of its own, unless it is turned off; no thread outlives the role."""
    if not settings.audit_permits_per_s:
        yield
        return
    auditor = Auditor(
        database_url,
        all_views(keys.blind_index(settings)),
        EventOpener(holder_keys, describe),
        stop,
        permits_per_s=settings.audit_permits_per_s,
    )
    thread = Thread(target=auditor.run, name="auditor", daemon=True)
    thread.start()
    yield
    thread.join(AUDITOR_END_S)
