"""The write paths that the benchmarks compare, each on a database of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from eventsourcing.application import Application as EventSourcedApplication
from eventsourcing.persistence import Mapper, StoredEvent
from psycopg.conninfo import conninfo_to_dict

from bench.unencrypted import ClearMapper
from domain import citizen_id, permit_number
from domain.application import Application
from domain.context import CommandContext
from domain.permit import Permit
from domain.person import Identity, Residence
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import BlockingLedger
from ledger.crypto import randomness
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKey
from ledger.database.connections import connect
from permit_ledger.bootstrap.policy import load_policy
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.sample.command import simulate
from permit_ledger.sample.simulation.rates import Rates
from tests.keks import keyring

BLIND_INDEX = BlindIndex(bytes(32))
STOCK_CONNECTIONS = 8
POLICY = load_policy(synthetic_people=True)
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
_people = itertools.count()
_requests = itertools.count()
_KEY = HolderKey("bench", bytes(32))
_mapper = EventMapper(OrjsonTranscoder())


def context() -> CommandContext:
    """The context of a request at this instant."""
    return CommandContext(
        actor="officer",
        station="320211-01",
        correlation_id=f"{next(_requests):016x}",
        at=datetime.now(UTC),
        policy=POLICY,
    )


def application() -> Application:
    """A new synthetic person each time."""
    days, sequence = divmod(next(_people), 499)
    area, days = divmod(days, 10_000)
    birth_date = date(1970, 1, 1) + timedelta(days=days)
    number = citizen_id.compose(f"99{area:04d}", birth_date, sequence * 2 + 1)
    return Application(
        identity=Identity("欧阳测试", "1", "01", birth_date, number, "安徽省合肥市示例路1号"),
        residence=Residence("320211", "滨湖区示例新村8号101室"),
        residence_registered_on=date(2025, 1, 15),
        ground="employment",
        issued_on=date(2026, 1, 5),
    )


def new_permit() -> Permit:
    """A permit whose event is still pending."""
    number = permit_number.draw(randomness.source.bits)
    return Permit.issue(number, randomness.source.take(16).hex(), application(), context())


def issued_events(n: int) -> list[StoredEvent]:
    """Events of ``n`` permits: the same facts under ``n`` numbers."""
    event = _mapper.to_stored_event(new_permit().collect_events()[0], _KEY)
    return [
        StoredEvent(randomness.source.take(6).hex(), 1, event.topic, event.state) for _ in range(n)
    ]


def sealed(permit: Permit) -> tuple[StoredEvent, HolderKey]:
    """Its first event as stored, and the key that decrypts it."""
    key = HolderKey(permit.holder_id, randomness.source.take(32))
    return _mapper.to_stored_event(permit.collect_events()[0], key), key


def grow_permits_alone(ledger: BlockingLedger, permits: int) -> int:
    """Append 400 days of a district, without applications for identity cards; the log's head."""
    simulate(
        ledger,
        permits=permits,
        days=400,
        seed=1,
        until=UNTIL,
        policy=POLICY,
        rates=Rates(applications_share=0),
    )
    return ledger.head()


class StockLedger(EventSourcedApplication[str]):
    """The same permits on the recorder that comes with the library, in the clear."""

    name = "stock"

    def construct_transcoder(self) -> OrjsonTranscoder:
        return OrjsonTranscoder()

    def construct_mapper(self) -> Mapper[str]:
        return ClearMapper()

    def issue(self, wanted: Application, by: CommandContext) -> None:
        number = permit_number.draw(randomness.source.bits)
        self.save(Permit.issue(number, randomness.source.take(16).hex(), wanted, by))


def stock_environment(database_url: str) -> dict[str, str]:
    """The library's environment variables for a database."""
    where: dict[str, Any] = conninfo_to_dict(database_url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": where["dbname"],
        "POSTGRES_HOST": where["host"],
        "POSTGRES_USER": where["user"],
        "POSTGRES_PASSWORD": "",
        "POSTGRES_POOL_SIZE": str(STOCK_CONNECTIONS),
        "POSTGRES_MAX_OVERFLOW": "0",
        "ORIGINATOR_ID_TYPE": "text",
    }


@contextmanager
def stock_ledger(database_url: str) -> Iterator[StockLedger]:
    """On an empty database."""
    with closing(StockLedger(stock_environment(database_url))) as ledger:
        yield ledger


def without_salts(database_url: str) -> None:
    """Let a prepared database record as before there were salts: its entries are of format 1."""
    with connect(database_url) as connection:
        for table in ("events", "checks"):
            connection.execute(f"ALTER TABLE ledger.{table} ALTER COLUMN salt DROP DEFAULT")


@contextmanager
def prepared(database_url: str) -> Iterator[str]:
    """A database with the ledger's schema."""
    with connect(database_url) as connection:
        prepare(connection, BLIND_INDEX, keyring())
    yield database_url
