"""A real PostgreSQL for all tests, a fresh copy of a prepared database for each."""

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from domain.context import CommandContext
from domain.policy import Policy
from ledger.commands.blocking import BlockingLedger
from ledger.crypto.blind_index import BlindIndex
from ledger.database.connections import as_service, connect
from permit_ledger.bootstrap.policy import load_policy
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.embedded.server import EmbeddedPostgres
from permit_ledger.logging import logs
from tests.keks import keyring

MARKERS = {
    "tests/kafka/": ("kafka",),
    "tests/foreign/": ("foreign",),
    "tests/sign_in/": ("foreign",),
    "tests/chaos/": ("chaos", "slow"),
    "tests/analytics/test_killed.py": ("slow",),
    "tests/api/test_fuzz.py": ("slow",),
    "tests/api/test_killed_checks.py": ("slow",),
    "tests/api/test_load.py": ("slow",),
    "tests/transparency/test_integrator_kills.py": ("slow",),
}
"""Markers of all tests in a folder or module, so that ``./dev test --fast`` can leave them out."""

TEMPLATE = "template_for_tests"
TEST_TOPICS = [
    "\\.",
    "permit.renamed.v1",
    "permit.renamed.v7",
    "test.ended.v1",
    "test.happened.v1",
    "test.other.v2",
    "test.rare.v1",
]
"""Of events that no mapper has made."""
ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

_database_numbers = itertools.count(1)
_logins = itertools.count(1)


SERVERS_LAST = (
    "tests/permit_ledger/",
    "tests/api/",
    "tests/web/",
    "tests/sign_in/",
    "tests/chaos/",
    "tests/kafka/",
    "tests/domain/",
)
"""Folders after all others, in this order: their servers run until the end of a process, and take
its time. The last one needs none, and fills up the end of a run on several processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their place, and those of the pages by whether they start a browser."""
    items.sort(key=lambda item: item.path, reverse=True)  # the longest of Kafka's first
    items.sort(key=_folder_rank)
    for item in items:
        if "playwright" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        place = item.path.relative_to(ROOT).as_posix()
        for prefix, names in MARKERS.items():
            if place.startswith(prefix):
                for name in names:
                    item.add_marker(name)


def _folder_rank(item: pytest.Item) -> int:
    place = item.path.relative_to(ROOT).as_posix()
    ranks = (rank for rank, folder in enumerate(SERVERS_LAST) if place.startswith(folder))
    return next(ranks, -1)


@pytest.fixture(autouse=True)
def _logging_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that a test runs in its own process must not keep the output that pytest has
    captured meanwhile: whoever logs later would write to a closed file."""
    monkeypatch.setattr(logs, "configure", lambda _settings: None)


@pytest.fixture(scope="session")
def blind_index() -> BlindIndex:
    return BlindIndex(bytes(range(32)))


@pytest.fixture(scope="session")
def make_data_dir() -> Iterator[Callable[[], Path]]:
    """Folders for database servers. Not pytest's own: as root the server has another user, and
    every pytest that starts closes the folder above its temporary ones to others."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(mkdtemp(prefix="permit-ledger-")))
        return made[-1]

    yield make
    # Not waited for: there are hundreds of thousands of files by the end.
    subprocess.Popen(["rm", "-rf", *made])


@pytest.fixture(scope="session")
def make_service_dir(make_data_dir: Callable[[], Path]) -> Callable[[], Path]:
    """Folders for ``permit-ledger up``: their database server is initialised, which takes seconds,
    and nothing of the service's is in it."""
    model = make_data_dir()
    with EmbeddedPostgres(model) as server:
        _without_fsync(server.url)

    def make() -> Path:
        folder = make_data_dir() / "data"
        folder.mkdir()
        subprocess.run(["cp", "-a", model / "postgresql", folder], check=True)
        return folder

    return make


@pytest.fixture(scope="session")
def postgres_url(make_data_dir: Callable[[], Path], blind_index: BlindIndex) -> Iterator[str]:
    """A server for the whole run, with a prepared template database."""
    with EmbeddedPostgres(make_data_dir()) as server:
        _without_fsync(server.url)
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {TEMPLATE}")
        with connect(make_conninfo(server.url, dbname=TEMPLATE)) as connection:
            prepare(connection, blind_index, keyring())
            connection.execute("INSERT INTO ledger.topics SELECT unnest(%s::text[])", [TEST_TOPICS])
        yield server.url


def _without_fsync(url: str) -> None:
    """Tests kill processes and servers; none pulls this machine's plug."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET fsync = off")
        admin.execute("SELECT pg_reload_conf()")


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A prepared database with an empty log, dropped after the test."""
    name = f"test_{next(_database_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        yield make_conninfo(postgres_url, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"empty_{next(_database_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield make_conninfo(postgres_url, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def new_login(postgres_url: str) -> Callable[..., str]:
    """``new_login("IN ROLE …")``: the name of a database user with nothing else. They go with the
    server."""

    def new_login(attributes: str = "") -> str:
        name = f"login_{next(_logins)}"
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {name} LOGIN {attributes}")
        return name

    return new_login


@pytest.fixture
def rewrite_log(database_url: str) -> Callable[..., None]:
    """``rewrite_log(statement, parameters)``: what only the log's owner can do, having put its
    trigger aside."""

    def rewrite_log(statement: Any, parameters: Any = None) -> None:
        with connect(database_url) as owner, owner.transaction():
            owner.execute("ALTER TABLE ledger.events DISABLE TRIGGER append_only")
            owner.execute(statement, parameters)
            owner.execute("ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only")

    return rewrite_log


@pytest.fixture
def ledger(database_url: str, blind_index: BlindIndex) -> Iterator[BlockingLedger]:
    """With the service's rights and no more, as it has them in use."""
    with closing(
        BlockingLedger(as_service(database_url), blind_index=blind_index, keyring=keyring())
    ) as ledger:
        yield ledger


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy(synthetic_people=True)


@pytest.fixture
def context(policy: Policy) -> CommandContext:
    return CommandContext(
        actor="officer-1",
        station="320211-01",
        correlation_id="a-request",
        at=NOW,
        policy=policy,
    )
