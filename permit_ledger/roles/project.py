"""The ``project`` role: one projector, and the auditor beside it."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from consumers.contract.kinds import PERMITS
from consumers.remote_views.decoder import RecordDecoder
from consumers.remote_views.worker import RemoteViewsWorker
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import connect
from ledger.eventlog.recognition import RegisterCheck
from permit_ledger.bootstrap.cli_context import database, keyless_database
from permit_ledger.bootstrap.kafka_access import brokers_of
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.logging.tracebacks import describe
from permit_ledger.settings import Settings
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector
from projections.quarantine.auditor import Auditor
from projections.remote.source import require_own_log
from projections.remote.views import RemoteViewWriter
from projections.views.registry import all_views
from projections.views.view import ELECTRONIC, PHYSICAL

from .stopping import stop_on
from .supervisor import tie_to_supervisor

GC_OBJECTS = 50_000
"""A page's events are still in use when the collector runs after the default of 700 objects."""

AUDITOR_END_S = 2.0
"""Its current step takes milliseconds; a longer one ends with the process."""


class CannotProject(Exception):
    """The message says what to do."""


def project(settings: Settings) -> None:
    """Keep the views in step with the log, until SIGTERM.

    Raises:
        NoRemoteSource: this database's views are fed from Kafka.
    """
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    with database(settings) as database_url:
        with connect(database_url) as connection:
            require_own_log(connection)
        holder_keys = HolderKeys(keyring(settings))
        views = all_views(keys.blind_index(settings))
        gc.freeze()
        gc.set_threshold(GC_OBJECTS)
        with auditing(settings, database_url, holder_keys, stop):
            Projector(database_url, views, EventOpener(holder_keys, describe), stop).run()


def project_from_kafka(settings: Settings) -> None:
    """Keep remote views in step with a topic, until SIGTERM. No key is needed: the topic holds
    nothing personal in the clear, and there is no search by citizen number.

    Raises:
        CannotProject: no broker is named.
    """
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    brokers = brokers_of(settings)
    if brokers is None:
        raise CannotProject(
            "no broker is named: set PERMIT_LEDGER_KAFKA, or give --kafka HOST:PORT"
        )
    # The client logs every attempt; the worker logs once what it waits for.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    prefix = settings.kafka_topic_prefix or ""
    kind = PERMITS.under(prefix)
    taker = RecordDecoder(EventMapper(OrjsonTranscoder()), kind, settings.source, describe)
    views = RemoteViewWriter([PHYSICAL, ELECTRONIC], describe)
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    with keyless_database(settings) as database_url:
        RemoteViewsWorker(
            *(database_url, brokers, kind, settings.source, taker, views, stop),
            topic_prefix=prefix,
        ).run()


@contextmanager
def auditing(
    settings: Settings, database_url: str, holder_keys: HolderKeys, stop: Event
) -> Iterator[None]:
    """Run the auditor in a thread of its own, unless it is turned off; it ends with the role."""
    if not settings.audit_permits_per_s:
        yield
        return
    auditor = Auditor(
        database_url,
        all_views(keys.blind_index(settings)),
        EventOpener(holder_keys, describe),
        stop,
        permits_per_s=settings.audit_permits_per_s,
        register=RegisterCheck(
            keys.blind_index(settings), holder_keys, EventMapper(OrjsonTranscoder())
        ),
    )
    thread = Thread(target=auditor.run, name="auditor", daemon=True)
    thread.start()
    yield
    thread.join(AUDITOR_END_S)
