"""Fixtures of the ledger's tests: made-up people, commands on a day, the log without commands.

``issue`` returns a permit's number, ``at_once`` starts many things in the same instant, ``until``
waits for a condition instead of sleeping, ``in_one_batch`` makes a group commit of its appends.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from threading import Barrier
from typing import Any, TypeVar

import pytest
from eventsourcing.persistence import StoredEvent
from structlog.testing import capture_logs

from domain import citizen_id
from domain.application import Application
from domain.calendar import SHANGHAI
from domain.context import CommandContext
from domain.device import Device, FaceMatch
from domain.person import Identity, Residence
from ledger.commands.blocking import BlockingLedger
from ledger.commands.runner import Command
from ledger.database.connections import Connection, as_service, connect
from ledger.eventlog import group_commit
from ledger.eventlog.append import Append
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from tests.ledger.appends import HangingLog, outcome_of
from tests.ledger.followers import Follower
from tests.ledger.raw_log import RawLog
from tests.waiting import until as wait_until

T = TypeVar("T")

WAIT_S = 30
BORN_ON = date(1990, 1, 1)
ISSUED_ON = date(2026, 1, 5)

_people = itertools.count(1)
_batches = itertools.count(1)


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """``until(condition)``: returns as soon as it holds, fails where it never does."""
    return partial(wait_until, wait_s=WAIT_S)


@pytest.fixture(scope="session")
def at_once() -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    """``at_once(acts)``: run each act in a thread of its own, all released by one barrier; return
    what each returned or raised."""

    def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
        barrier = Barrier(len(acts))

        def run(act: Callable[[], Any]) -> Any:
            barrier.wait(WAIT_S)
            try:
                return act()
            except Exception as error:  # noqa: BLE001  an outcome like any other
                return error

        with ThreadPoolExecutor(len(acts)) as threads:
            return list(threads.map(run, acts))

    return at_once


# -- people and commands -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def citizen_number() -> Callable[[], str]:
    """``citizen_number()``: a number that only this test uses."""

    def citizen_number() -> str:
        area, sequence = divmod(next(_people), 500)
        return citizen_id.compose(f"99{area:04d}", BORN_ON, sequence * 2 + 1)

    return citizen_number


@pytest.fixture(scope="session")
def application(citizen_number: Callable[[], str]) -> Callable[..., Application]:
    """``application(number=…)``: all in order, for this person or for a new one."""

    def application(number: str | None = None, **changes: object) -> Application:
        in_order = Application(
            identity=Identity(
                name="欧阳测试",
                sex="1",
                ethnicity="01",
                birth_date=BORN_ON,
                citizen_id_number=number or citizen_number(),
                hukou_address="安徽省合肥市测试路1号",
            ),
            residence=Residence("320211", "蠡湖大道1号"),
            residence_registered_on=date(2020, 1, 15),
            ground="employment",
            issued_on=ISSUED_ON,
        )
        return replace(in_order, **changes)

    return application


@pytest.fixture
def command(context: CommandContext) -> Callable[..., Command]:
    """``command(on=…, key=…, request=…, expected_version=…)``: officer-1 in Binhu."""

    def command(
        *,
        on: date | None = None,
        key: str | None = None,
        caller: str = "officer-1",
        request: bytes = b"the request",
        expected_version: int | None = None,
        **changes: object,
    ) -> Command:
        at = datetime(on.year, on.month, on.day, 12, tzinfo=SHANGHAI) if on else context.at
        named = IdempotencyKey(caller, key, request) if key else None
        expected = None if expected_version is None else frozenset({expected_version})
        return Command(replace(context, at=at, **changes), named, expected)

    return command


@pytest.fixture
def issue(
    ledger: BlockingLedger,
    application: Callable[..., Application],
    command: Callable[..., Command],
) -> Callable[..., str]:
    """``issue(number=…)``: a permit in the log; gives its number."""

    def issue(number: str | None = None, *, by: BlockingLedger = ledger, **changes: object) -> str:
        answer = by.permits.issue(application(number, **changes), command())
        assert answer.position is not None
        [issued] = by.events(answer.position, 1)
        return str(issued.originator_id)

    return issue


@pytest.fixture(scope="session")
def phone() -> Callable[[int], Device]:
    """``phone(n)``: one phone for each number."""

    def phone(number: int) -> Device:
        return Device(f"thumbprint-{number}", {"kty": "OKP", "crv": "Ed25519", "x": str(number)})

    return phone


@pytest.fixture(scope="session")
def face_match() -> FaceMatch:
    """A positive face match."""
    return FaceMatch.unsigned("identity-provider", 0.98, matched=True)


# -- the log -----------------------------------------------------------------------------------


@pytest.fixture
def new_raw_log(database_url: str) -> Iterator[Callable[..., RawLog]]:
    """``new_raw_log()``: one with connections of its own, as another process has."""
    with ExitStack() as stack:

        def new_raw_log(**how: Any) -> RawLog:
            return stack.enter_context(closing(RawLog(as_service(database_url), **how)))

        yield new_raw_log


@pytest.fixture
def raw_log(new_raw_log: Callable[[], RawLog]) -> RawLog:
    return new_raw_log()


@pytest.fixture(scope="session")
def stored() -> Callable[..., StoredEvent]:
    """``stored(stream, version)``: an event with bytes that no mapper produced."""

    def stored(
        stream: str, version: int, state: bytes = b"{}", topic: str = "test.happened.v1"
    ) -> StoredEvent:
        return StoredEvent(stream, version, topic, state)

    return stored


@pytest.fixture
def outages() -> Iterator[list[MutableMapping[str, Any]]]:
    """The log events of followers' outages."""
    with capture_logs() as logs:
        yield logs


@pytest.fixture
def admin(database_url: str) -> Iterator[Connection]:
    """A connection with the operator's rights."""
    with connect(database_url, application_name="operator") as connection:
        yield connection


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


# -- group commits -----------------------------------------------------------------------------


@pytest.fixture
def head_held(database_url: str) -> Callable[[], AbstractContextManager[None]]:
    """``with head_held():`` every append waits, as for another process that is committing."""

    @contextmanager
    def head_held() -> Iterator[None]:
        with connect(database_url, application_name="operator") as holder, holder.transaction():
            holder.execute("SELECT position FROM ledger.head FOR UPDATE")
            yield

    return head_held


@pytest.fixture
def writer_waits(admin: Connection, until: Callable[..., None]) -> Callable[[], None]:
    """``writer_waits()``: wait until a group commit waits for the head that is held."""
    sql = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'permit-ledger append' AND wait_event_type = 'Lock'"
    )
    return lambda: until(lambda: admin.execute(sql).fetchone())


@pytest.fixture
def gathering(
    head_held: Callable[[], AbstractContextManager[None]], writer_waits: Callable[[], None]
) -> Callable[[RawLog], AbstractContextManager[None]]:
    """``with gathering(raw_log):`` started appends go to the database afterwards, together.

    Its writer is busy with a response meanwhile, which takes no position.
    """

    @contextmanager
    def gathering(raw_log: RawLog) -> Iterator[None]:
        key = IdempotencyKey("gathering", str(next(_batches)), b"")
        with head_held():
            busy = raw_log.start(Append([], answer=PendingAnswer(key, True, b"", None)))
            writer_waits()
            yield
        assert [] == busy.result(WAIT_S)

    return gathering


@pytest.fixture
def in_one_batch(
    raw_log: RawLog,
    gathering: Callable[[RawLog], AbstractContextManager[None]],
    until: Callable[..., None],
) -> Callable[..., list[Any]]:
    """``in_one_batch(append, …)``: each one's outcome, positions or an error."""

    def in_one_batch(*appends: Append) -> list[Any]:
        with gathering(raw_log):
            started = [raw_log.start(append) for append in appends]
            until(lambda: raw_log.commits.queued == len(appends))
        return [outcome_of(future) for future in started]

    return in_one_batch


@pytest.fixture
def hanging(
    new_raw_log: Callable[..., RawLog], monkeypatch: pytest.MonkeyPatch
) -> Iterator[HangingLog]:
    """A log whose writer hangs while it connects; its callers wait for two seconds."""
    monkeypatch.setattr(group_commit, "ANSWER_S", 0.2)
    hanging = HangingLog(new_raw_log)
    yield hanging
    hanging.let_go()


@pytest.fixture
def transactions(admin: Connection) -> Callable[[], list[list[int]]]:
    """``transactions()``: the positions that each transaction wrote, in order."""
    sql = (
        "SELECT array_agg(position ORDER BY position) FROM ledger.events"
        " GROUP BY xmin::text ORDER BY 1"
    )
    return lambda: [positions for (positions,) in admin.execute(sql).fetchall()]


@pytest.fixture(scope="session")
def awaited() -> Callable[[Coroutine[Any, Any, T]], T]:
    """``awaited(coroutine)``: run in an event loop of its own, within bounds."""

    def awaited(coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(asyncio.wait_for(coroutine, WAIT_S))

    return awaited


# -- followers ---------------------------------------------------------------------------------

FOLLOWER = "permit-ledger follow"


@pytest.fixture
def following_at() -> Callable[..., AbstractContextManager[Follower]]:
    """``with following_at(url, after=0, …) as follower``"""

    @contextmanager
    def following_at(url: str, *, after: int = 0, **options: object) -> Iterator[Follower]:
        follower = Follower(url, after=after, **options)
        follower.start()
        try:
            yield follower
        finally:
            follower.end()

    return following_at


@pytest.fixture
def following(
    following_at: Callable[..., AbstractContextManager[Follower]], database_url: str
) -> Callable[..., AbstractContextManager[Follower]]:
    """``with following(after=0, …) as follower``: of this test's log."""
    return partial(following_at, database_url)


@pytest.fixture
def listening(admin: Connection, until: Callable[..., None]) -> Callable[[], None]:
    """``listening()``: wait until a follower listens and has nothing to read."""

    def idle() -> bool:
        sql = (
            "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = %s AND state = 'idle'"
        )
        rows = admin.execute(sql, [FOLLOWER]).fetchall()
        return any("ledger.events" in str(query) for (query,) in rows)

    return lambda: until(idle)


@pytest.fixture
def nobody_follows(admin: Connection, until: Callable[..., None]) -> Callable[[], None]:
    """``nobody_follows()``: wait until every follower's connection is closed."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    return lambda: until(lambda: admin.execute(sql, [FOLLOWER]).fetchone() == (0,))
