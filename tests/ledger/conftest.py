"""The givens of the ledger's tests: made-up people, commands on a day, the bare recorder.

``issue`` gives a permit's number, ``at_once`` starts many things in the same instant, ``until``
waits for a condition instead of sleeping, ``in_one_batch`` makes a group commit of its appends.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
from ledger.commands.ledger import PermitLedger
from ledger.commands.runner import Command
from ledger.database.connections import (
    Connection,
    as_service,
    connect,
    connect_to_append,
    open_pool,
)
from ledger.eventlog import group_commit
from ledger.eventlog.append import Append
from ledger.eventlog.group_commit import GroupCommit
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from ledger.eventlog.notifier import LogNotifier
from ledger.eventlog.pending import PendingAppend
from ledger.eventlog.recorder import LedgerRecorder
from tests.ledger.appends import HangingCommits
from tests.ledger.followers import Follower, TaskFollower, ThreadFollower
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
    """``at_once(acts)``: each act in a thread of its own, all released by one barrier; gives what
    each returned or raised."""

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
    """``citizen_number()``: of a man whom no other test knows."""

    def citizen_number() -> str:
        area, sequence = divmod(next(_people), 500)
        return citizen_id.compose(f"99{area:04d}", BORN_ON, sequence * 2 + 1)

    return citizen_number


@pytest.fixture(scope="session")
def application(citizen_number: Callable[[], str]) -> Callable[..., Application]:
    """``application(number=…)``: all in order, for this person or for somebody new."""

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
    ledger: PermitLedger,
    application: Callable[..., Application],
    command: Callable[..., Command],
) -> Callable[..., str]:
    """``issue(number=…)``: a permit in the log; gives its number."""

    def issue(number: str | None = None, *, by: PermitLedger = ledger, **changes: object) -> str:
        answer = by.issue(application(number, **changes), command())
        assert answer.position is not None
        [issued] = by.log.select_notifications(answer.position, 1)
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
    """The provider's yes."""
    return FaceMatch("identity-provider", 0.98, matched=True)


# -- the log -----------------------------------------------------------------------------------


@pytest.fixture
def new_recorder(database_url: str) -> Iterator[Callable[[], LedgerRecorder]]:
    """``new_recorder()``: one with a pool of its own, as another process has."""
    service = as_service(database_url)
    with ExitStack() as stack:

        def new_recorder(**how: float) -> LedgerRecorder:
            bell = LogNotifier(lambda: connect(service))
            commits = GroupCommit(lambda: connect_to_append(service), committed=bell.ring, **how)
            pool = open_pool(service, connections_max=8)
            stack.callback(pool.close)
            stack.callback(bell.close)
            stack.callback(commits.close)
            return LedgerRecorder(pool, commits, committed=bell.ring)

        yield new_recorder


@pytest.fixture
def recorder(new_recorder: Callable[[], LedgerRecorder]) -> LedgerRecorder:
    return new_recorder()


@pytest.fixture(scope="session")
def stored() -> Callable[..., StoredEvent]:
    """``stored(stream, version)``: bytes that no mapper ever saw."""

    def stored(
        stream: str, version: int, state: bytes = b"{}", topic: str = "test.happened.v1"
    ) -> StoredEvent:
        return StoredEvent(stream, version, topic, state)

    return stored


@pytest.fixture
def outages() -> Iterator[list[MutableMapping[str, Any]]]:
    """What followers have said of outages, as it is said."""
    with capture_logs() as logs:
        yield logs


@pytest.fixture
def admin(database_url: str) -> Iterator[Connection]:
    """A connection of the operator's own."""
    with connect(database_url, application_name="operator") as connection:
        yield connection


@pytest.fixture
def kill(admin: Connection) -> Callable[[str], int]:
    """``kill(application_name)``: ends these backends; gives how many there were."""

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
    """``writer_waits()``: until a group commit has come to a head that is held."""
    sql = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'permit-ledger append' AND wait_event_type = 'Lock'"
    )
    return lambda: until(lambda: admin.execute(sql).fetchone())


@pytest.fixture
def gathering(
    head_held: Callable[[], AbstractContextManager[None]], writer_waits: Callable[[], None]
) -> Callable[[GroupCommit], AbstractContextManager[None]]:
    """``with gathering(commits):`` what is submitted goes to the database afterwards, together.

    Its writer is busy with an answer meanwhile, which takes no position.
    """

    @contextmanager
    def gathering(commits: GroupCommit) -> Iterator[None]:
        key = IdempotencyKey("gathering", str(next(_batches)), b"")
        busy = PendingAppend(Append([], answer=PendingAnswer(key, True, b"", None)), WAIT_S)
        with head_held():
            commits.submit(busy)
            writer_waits()
            yield
        assert busy.wait(WAIT_S)

    return gathering


@pytest.fixture
def in_one_batch(
    recorder: LedgerRecorder, gathering: Callable[[GroupCommit], AbstractContextManager[None]]
) -> Callable[..., list[Any]]:
    """``in_one_batch(append, …)``: what each comes to, its positions or its error."""

    def outcome(pending: PendingAppend) -> Any:
        assert pending.wait(WAIT_S), "it was never answered"
        return pending.outcome if pending.error is None else pending.error

    def in_one_batch(*appends: Append) -> list[Any]:
        pendings = [PendingAppend(append, WAIT_S) for append in appends]
        with gathering(recorder.commits):
            for pending in pendings:
                recorder.commits.submit(pending)
        return [outcome(pending) for pending in pendings]

    return in_one_batch


@pytest.fixture
def hanging(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingCommits]:
    """A group commit whose writer hangs; its callers wait a second until it is ``let_go``."""
    monkeypatch.setattr(group_commit, "ANSWER_S", 0.2)
    commits = HangingCommits(database_url, wait_s=1.0)
    yield commits
    commits.let_go()
    commits.close()


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


@pytest.fixture(params=[ThreadFollower, TaskFollower], ids=["thread", "task"])
def following_at(
    request: pytest.FixtureRequest,
) -> Callable[..., AbstractContextManager[Follower]]:
    """``with following_at(url, after=0, …) as follower``: in each of the two forms."""

    @contextmanager
    def following_at(url: str, *, after: int = 0, **options: object) -> Iterator[Follower]:
        follower = request.param(url, after=after, **options)
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
    """``listening()``: waits until somebody listens and has nothing to read."""

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
    """``nobody_follows()``: waits until every follower's connection is gone."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    return lambda: until(lambda: admin.execute(sql, [FOLLOWER]).fetchone() == (0,))
