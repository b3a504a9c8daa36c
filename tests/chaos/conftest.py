"""Fixtures of the chaos tests: a server to inject faults into, load, and a judge.

All random choices follow from ``seed``, which pytest shows when a test fails;
``PERMIT_LEDGER_TEST_SEED`` repeats the run.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ledger.database.connections import Connection, connect
from ledger.errors import OutcomeUnknown, Unavailable
from ledger.eventlog.group_commit import WAIT_S as GROUP_COMMIT_WAIT_S
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.embedded.server import EmbeddedPostgres
from tests.chaos.backends import append_backends
from tests.chaos.follower_process import FollowerProcess
from tests.chaos.judge import judge
from tests.chaos.proxy import Proxy
from tests.chaos.retry import retry
from tests.chaos.services import FORMS, Service, service_at
from tests.chaos.workload import BLIND_INDEX, Acknowledgement, Request, Workload
from tests.chaos.writer_process import WriterProcess
from tests.keks import keyring
from tests.waiting import until as wait_until

WAIT_S = 60
TEMPLATE = "template_for_chaos"


@pytest.fixture
def seed() -> int:
    seed = int(os.environ.get("PERMIT_LEDGER_TEST_SEED") or random.randrange(10**6))  # noqa: S311
    print(f"PERMIT_LEDGER_TEST_SEED={seed}")  # noqa: T201  shown where the test fails
    return seed


@pytest.fixture
def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  chance, not secrecy


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """``until(condition)``: returns as soon as it holds, fails if it never does."""
    return partial(wait_until, wait_s=WAIT_S)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """Callers that are threads, and callers that are coroutines."""
    return str(request.param)


# -- the database ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def server(make_data_dir: Callable[[], Path]) -> Iterator[EmbeddedPostgres]:
    """A server for faults, with a prepared template database; other tests have another server."""
    with EmbeddedPostgres(make_data_dir()) as server:
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {TEMPLATE}")
        with connect(make_conninfo(server.url, dbname=TEMPLATE)) as connection:
            prepare(connection, BLIND_INDEX, keyring())
        yield server


@pytest.fixture
def database_url(
    server: EmbeddedPostgres, request: pytest.FixtureRequest, until: Callable[..., None]
) -> Iterator[str]:
    """An empty log, dropped afterwards, once the server has recovered from the test."""
    name = f"chaos_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield make_conninfo(server.url, dbname=name)

    def is_dropped() -> bool:
        try:
            with psycopg.connect(server.url, autocommit=True) as admin:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        except psycopg.OperationalError:
            return False
        return True

    until(is_dropped)


@pytest.fixture
def admin(database_url: str) -> Iterator[Connection]:
    """A connection of the operator's own."""
    with connect(database_url, application_name="operator") as connection:
        yield connection


@pytest.fixture
def stranger(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Another client, whose first statement begins a transaction that it never ends."""
    with psycopg.connect(database_url, application_name="stranger") as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def appender(database_url: str, until: Callable[..., None]) -> Callable[[], int]:
    """``appender()``: the pid of a server process that appends, as soon as there is one."""

    def appender() -> int:
        until(lambda: append_backends(database_url))
        return append_backends(database_url)[0]

    return appender


@pytest.fixture
def waiting(admin: Connection) -> Callable[[], bool]:
    """``waiting()``: whether a server process that appends waits for a lock."""
    sql = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'permit-ledger append' AND wait_event_type = 'Lock'"
    )
    return lambda: admin.execute(sql).fetchone() != (0,)


@pytest.fixture
def proxy(database_url: str, make_data_dir: Callable[[], Path]) -> Iterator[Proxy]:
    """A network before the database that fails on request."""
    with Proxy(make_data_dir(), database_url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def sent_until_done() -> Callable[..., Acknowledgement]:
    """``sent_until_done(service, request, lost=…)``: retry as a client does after a 503; the
    request's key is added to ``lost`` where a retry's outcome was unknown."""

    def sent_until_done(
        service: Service, request: Request, *, wait_s: float = WAIT_S, lost: set[str] | None = None
    ) -> Acknowledgement:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                return Acknowledgement.of(request, service.run(request))
            except Unavailable as error:
                assert time.monotonic() < deadline, "it never recovers"
                if lost is not None and isinstance(error, OutcomeUnknown):
                    lost.add(request.key)

    return sent_until_done


# -- load --------------------------------------------------------------------------------------


@pytest.fixture
def services(database_url: str) -> Iterator[Callable[..., Service]]:
    """``services(form, url=…, wait_s=…)``: a service in this process."""
    with ExitStack() as stack:

        def services(
            form: str = "thread", *, url: str = database_url, wait_s: float = GROUP_COMMIT_WAIT_S
        ) -> Service:
            return stack.enter_context(service_at(url, form, wait_s))

        yield services


@pytest.fixture
def queued() -> Callable[[Service], int]:
    """``queued(service)``: how many appends wait for the writer, without cancelled ones."""

    def queued(service: Service) -> int:
        return service.commits.queued

    return queued


@pytest.fixture
def together(
    stranger: psycopg.Connection[Any],
    until: Callable[..., None],
    waiting: Callable[[], bool],
    queued: Callable[[Service], int],
) -> Callable[[Service, Callable[[], Any], list[Callable[[], Any]]], list[Any]]:
    """``together(service, first, acts)``: ``acts`` queue up while the first is on its way, and go
    in one batch; returns what each returned or raised, without ``first``."""

    def together(
        service: Service, first: Callable[[], Any], acts: list[Callable[[], Any]]
    ) -> list[Any]:
        stranger.execute("SELECT FROM ledger.head FOR UPDATE")
        with ThreadPoolExecutor(len(acts) + 1) as threads:
            try:
                leading = threads.submit(first)
                until(waiting)
                outcomes = [threads.submit(act) for act in acts]
                until(lambda: queued(service) == len(acts))
            finally:
                stranger.rollback()
            leading.result(WAIT_S)
            return [outcome.exception(WAIT_S) or outcome.result() for outcome in outcomes]

    return together


@pytest.fixture
def permits(database_url: str, seed: int) -> Callable[[int], list[Acknowledgement]]:
    """``permits(count)``: issued before anything else; their acknowledgements."""

    def permits(count: int) -> list[Acknowledgement]:
        return retry(database_url, Workload(seed), [f"w0-{n}" for n in range(1, count + 1)])

    return permits


@pytest.fixture
def writing(database_url: str) -> Iterator[Callable[..., WriterProcess]]:
    """``writing(workload, name=…, form=…, url=…)``: a service process under load."""
    with ExitStack() as stack:

        def writing(workload: Workload, *, url: str = database_url, **how: Any) -> WriterProcess:
            return stack.enter_context(WriterProcess(url, workload, **how))

        yield writing


@pytest.fixture
def follower(database_url: str, tmp_path: Path) -> Iterator[FollowerProcess]:
    """A follower from position 0 on, in a process of its own."""
    with FollowerProcess(database_url, tmp_path / "positions") as follower:
        yield follower


@pytest.fixture
def sent_again(database_url: str) -> Callable[..., list[Acknowledgement]]:
    """``sent_again(workload, keys)``: by another process, until each is answered."""
    return partial(retry, database_url)


@pytest.fixture
def problems(
    database_url: str, until: Callable[..., None]
) -> Callable[..., dict[str, list[object]]]:
    """``problems(acknowledged, done=…, follower=…)``: the violations that the judge finds.
    Waits until the follower has caught up."""

    def problems(
        acknowledged: list[Acknowledgement],
        *,
        done: Any = (),
        follower: FollowerProcess | None = None,
    ) -> dict[str, list[object]]:
        followed = None
        if follower:
            until(follower.has_kept(judge(database_url).head))
            followed = follower.positions
        return judge(database_url, acknowledged, done=done, followed=followed).problems

    return problems
