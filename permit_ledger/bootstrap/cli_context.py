"""The database and a ledger on it, for commands of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from threading import Event

from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import ConnectionTimeout

from domain.policy import Policy
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.codec.topics import require_readable
from ledger.commands.blocking import BlockingLedger
from ledger.crypto.blind_index import BlindIndex
from ledger.database.clock import Clock, DevelopmentClock, SystemClock
from ledger.database.connections import (
    Connection,
    acting_as_service,
    as_service,
    connect,
    with_settings,
)
from permit_ledger.embedded.server import EmbeddedPostgres
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import Settings

from .policy import load_policy
from .setup import bring_up_to_date, prepare, report_own_settings, require_issuer

LOCAL_CONNECT_TIMEOUTS_S = (5, 20, 80)


@contextmanager
def server(settings: Settings, *, keep: bool = True) -> Iterator[str]:
    """The database's URL for its owner, unprepared; without one in the settings the embedded server
    runs meanwhile."""
    with _running(settings, keep=keep) as (database_url, _):
        yield with_settings(database_url)


@contextmanager
def _running(settings: Settings, *, keep: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    """The database's URL, and what gives the service's own once the database is prepared: where
    the settings name a database, its URL is for both."""
    if database_url := settings.database_url:
        yield database_url, lambda: database_url
        return
    with EmbeddedPostgres(
        settings.data_dir, keep=keep, stalled_s=settings.start_timeout_s
    ) as embedded:
        yield embedded.url, embedded.admit_service


@contextmanager
def database(settings: Settings, *, keep: bool = True) -> Iterator[str]:
    """The URL of a prepared database; connections made with it act as the service's role."""
    with _running(settings, keep=keep) as (database_url, admit_service):
        with first_connection(database_url) as connection:
            report_own_settings(connection)
            prepare(connection, keys.blind_index(settings), keyring(settings))
            require_issuer(connection, settings.believed_issuer)
        yield as_service(admit_service())


@contextmanager
def keyless_database(settings: Settings) -> Iterator[str]:
    """The same for commands that decrypt nothing: no key is read or required."""
    with _running(settings, keep=True) as (database_url, admit_service):
        with first_connection(database_url) as connection:
            report_own_settings(connection)
            bring_up_to_date(connection)
            with acting_as_service(connection):
                require_readable(connection, EventMapper(OrjsonTranscoder()).topics)
            require_issuer(connection, settings.believed_issuer)
        yield as_service(admit_service())


def first_connection(database_url: str) -> Connection:
    """Connect at a start. A server on a local socket that does not answer in time is busy, not
    gone: each attempt has a longer timeout.

    Raises:
        psycopg.OperationalError
    """
    database_url = with_settings(database_url)
    is_local = str(conninfo_to_dict(database_url).get("host") or "").startswith("/")
    for connect_timeout_s in LOCAL_CONNECT_TIMEOUTS_S if is_local else ():
        with suppress(ConnectionTimeout):
            return connect(database_url, connect_timeout_s=connect_timeout_s)
    return connect(database_url)


@dataclass(frozen=True, slots=True)
class CliContext:
    """What commands of the command line work with."""

    database_url: str
    ledger: BlockingLedger
    clock: Clock
    policy: Policy
    blind_index: BlindIndex


@contextmanager
def cli_context(settings: Settings) -> Iterator[CliContext]:
    """The ledger itself, without the API."""
    with database(settings) as database_url:
        blind_index = keys.blind_index(settings)
        with closing(
            BlockingLedger(database_url, blind_index=blind_index, keyring=keyring(settings))
        ) as ledger:
            yield CliContext(
                database_url=database_url,
                ledger=ledger,
                clock=service_clock(settings, database_url),
                policy=policy_in_force(settings),
                blind_index=blind_index,
            )


def policy_in_force(settings: Settings) -> Policy:
    """The policy in force; only development mode admits made-up people."""
    return load_policy(settings.policy, synthetic_people=settings.development)


def followed_clock(settings: Settings, database_url: str, stop: Event) -> Clock:
    """:func:`service_clock`, which notices within a second when another process sets it."""
    clock = service_clock(settings, database_url)
    if isinstance(clock, DevelopmentClock):
        clock.follow(stop)
    return clock


def service_clock(settings: Settings, database_url: str) -> Clock:
    """The machine's clock, or in development mode the one that can be set."""
    if not settings.development:
        return SystemClock()
    clock = DevelopmentClock(database_url)
    clock.load()
    return clock
