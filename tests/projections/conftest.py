"""Fixtures of the views' tests: random lives, projectors in threads, rows to compare."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import Any

import pytest
from psycopg.rows import dict_row

from domain.context import CommandContext
from domain.permit import Permit
from domain.personal import ERASED
from ledger.commands.blocking import BlockingLedger
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import Connection, as_service, connect
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector
from projections.queries.permits import PermitReader, Person, read_pool
from projections.views.face import SealedFace
from projections.views.registry import all_views
from tests.keks import keyring
from tests.projections import columns
from tests.projections.life import Life
from tests.waiting import until as wait_until

WAIT_S = 180


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """``until(condition)``: returns as soon as it holds, fails where it never does."""
    return partial(wait_until, wait_s=WAIT_S)


@pytest.fixture
def life(ledger: BlockingLedger, context: CommandContext) -> Callable[[int], Life]:
    """``life(seed)``: a random life that has not begun."""

    def life(seed: int = 0) -> Life:
        return Life(ledger, context, random.Random(seed))  # noqa: S311  chance, not secrecy

    return life


# -- projectors --------------------------------------------------------------------------------


@dataclass
class Running:
    """A projector in a thread of its own."""

    stop: Event
    thread: Thread

    def end(self) -> None:
        self.stop.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive(), "asked to stop, it goes on"


@pytest.fixture
def start_projector(
    database_url: str, blind_index: BlindIndex, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Running]]:
    """``start_projector(extra views …)``: start one more; it is stopped when the test ends."""
    monkeypatch.setattr("ledger.database.retry.MAX_S", 0.1)
    started: list[Running] = []

    def start_projector(*extra_views: Any) -> Running:
        stop = Event()
        views = [*all_views(blind_index), *extra_views]
        opener = EventOpener(HolderKeys(keyring()))
        projector = Projector(as_service(database_url), views, opener, stop)
        thread = Thread(target=projector.run, name=f"projector-{len(started)}")
        started.append(Running(stop, thread))
        thread.start()
        return started[-1]

    yield start_projector
    for running in started:
        running.end()


@pytest.fixture
def projector(start_projector: Callable[..., Running]) -> Running:
    """One projector, running for the whole test."""
    return start_projector()


@pytest.fixture
def admin(database_url: str) -> Iterator[Connection]:
    """A connection with the operator's rights."""
    with connect(database_url, application_name="operator") as connection:
        yield connection


@pytest.fixture
def lag(admin: Connection) -> Callable[[], int]:
    """``lag()``: how many events the views are behind the log."""

    def lag() -> int:
        row = admin.execute(
            "SELECT head.position - position.position FROM ledger.head, views.position"
        ).fetchone()
        assert row is not None
        return int(str(row[0]))

    return lag


@pytest.fixture
def caught_up(
    lag: Callable[[], int], until: Callable[[Callable[[], Any]], None]
) -> Callable[[], None]:
    """``caught_up()``: wait until the views are at the log's head."""
    return lambda: until(lambda: lag() == 0)


@pytest.fixture
def kill(admin: Connection) -> Callable[[str], int]:
    """``kill(application_name)``: end these backends, and return how many there were."""

    def kill(application_name: str) -> int:
        return admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [application_name],
        ).rowcount

    return kill


@pytest.fixture
def projected(
    start_projector: Callable[..., Running], caught_up: Callable[[], None]
) -> Callable[[], None]:
    """``projected()``: bring the views to the log's head."""

    def projected() -> None:
        projecting = start_projector()
        caught_up()
        projecting.end()

    return projected


@pytest.fixture
def reading(database_url: str) -> Callable[[Callable[[PermitReader], Any]], Any]:
    """``reading(scenario)``: the result of ``await scenario(reader)``, with a reader of its own."""

    def reading(scenario: Callable[[PermitReader], Any]) -> Any:
        async def run() -> Any:
            async with read_pool(as_service(database_url), connections_max=2) as pool:
                return await scenario(PermitReader(pool, HolderKeys(keyring())))

        return asyncio.run(run())

    return reading


@pytest.fixture
def read(reading: Callable[..., Any]) -> Callable[..., Any]:
    """``read("permit", number)``: the result of one read."""
    return lambda method, *args: reading(lambda reader: getattr(reader, method)(*args))


@pytest.fixture
def person(reading: Callable[..., Any]) -> Callable[..., Person | None]:
    """``person("physical", "physical", number)``: the holder that a read from that view shows."""

    def person(method: str, view: str, number: str) -> Person | None:
        async def look(reader: PermitReader) -> Person | None:
            return await reader.person(await getattr(reader, method)(number), view)

        found: Person | None = reading(look)
        return found

    return person


# -- rows --------------------------------------------------------------------------------------


@pytest.fixture
def rows(admin: Connection) -> Callable[[str], dict[str, dict[str, Any]]]:
    """``rows("views.permits")``: all rows, by permit number."""

    def rows(table: str) -> dict[str, dict[str, Any]]:
        with admin.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(f"SELECT * FROM {table}").fetchall()
        return {row["permit_number"]: row for row in found}

    return rows


@pytest.fixture
def opened(
    ledger: BlockingLedger, rows: Callable[[str], dict[str, dict[str, Any]]]
) -> Callable[[str], dict[str, dict[str, Any]]]:
    """``opened("physical")``: all rows of that track, with the faces decrypted."""

    def one(row: dict[str, Any], view: str) -> dict[str, Any]:
        if row["face"] is None:
            return row
        key = ledger.log.holder_keys([row["holder_id"]])[row["holder_id"]]
        assert key is not ERASED, "a face without a key"
        return {**row, "face": SealedFace(row["face"]).open(key, view, row["permit_number"])}

    def opened(view: str) -> dict[str, dict[str, Any]]:
        found = rows(f"views.{view}_permits").items()
        return {number: one(row, view) for number, row in found}

    return opened


@pytest.fixture
def views_are_the_log(
    ledger: BlockingLedger,
    blind_index: BlindIndex,
    rows: Callable[[str], dict[str, dict[str, Any]]],
    opened: Callable[[str], dict[str, dict[str, Any]]],
    lag: Callable[[], int],
    admin: Connection,
) -> Callable[[], None]:
    """``views_are_the_log()``: compare every column of every permit with the aggregate, and the
    counts that are kept with the rows."""

    def entry(permit: Permit) -> dict[str, Any]:
        face = columns.face(permit)
        index = blind_index.of(face.citizen_id_number).hex() if face else None
        return {"permit_number": permit.id, "citizen_index": index}

    def views_are_the_log() -> None:
        assert lag() == 0
        log = ledger.events(1, 100_000)
        permits = [ledger.permit(number) for number in {str(e.originator_id) for e in log}]
        assert permits
        assert opened("physical") == {p.id: columns.physical(p) for p in permits}
        assert opened("electronic") == {p.id: columns.electronic(p) for p in permits}
        assert rows("views.permit_search") == {p.id: entry(p) for p in permits}
        counted = admin.execute(
            "SELECT count(*), count(*) FILTER (WHERE ended IS NULL),"
            " count(*) FILTER (WHERE claimed) FROM views.permits"
        ).fetchone()
        kept = (
            "SELECT permits, permits_open, claimed FROM views.counts_of('views.electronic_permits')"
        )
        assert counted == admin.execute(kept).fetchone()

    return views_are_the_log
