"""A signed log, made once and copied for each test."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.conftest import TEMPLATE
from tests.transparency.signed_log import ROUNDS, SignedLog

SIGNED = "template_of_a_signed_log"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def signed_template(postgres_url, blind_index, tmp_path_factory) -> SignedLog:
    """Several checkpoints of each tree, and two manifests at least."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {SIGNED} TEMPLATE {TEMPLATE}")
    template = SignedLog(
        make_conninfo(postgres_url, dbname=SIGNED), tmp_path_factory.mktemp("signed")
    )
    for seed in range(1, ROUNDS + 1):
        template.record(blind_index, seed)
        template.integrate()
    return template


@pytest.fixture
def log(postgres_url: str, signed_template: SignedLog, tmp_path: Path) -> Iterator[SignedLog]:
    """A copy of one's own."""
    name = f"signed_{next(_numbers)}"
    shutil.copytree(signed_template.folder, tmp_path / "data")
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {SIGNED}")
        yield SignedLog(make_conninfo(postgres_url, dbname=name), tmp_path / "data")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def unsigned_log(database_url: str, tmp_path: Path) -> SignedLog:
    """An empty one, of which nothing is signed."""
    return SignedLog(database_url, tmp_path)


@pytest.fixture
def middle(log):
    """An event with a version before it and one after it, not among the last."""
    return log.ask(
        "SELECT position FROM ledger.events AS e WHERE version = 2 AND position > 40"
        " AND EXISTS (SELECT FROM ledger.events WHERE stream = e.stream AND version = 3)"
        " ORDER BY position LIMIT 1"
    )


@pytest.fixture
def last(log):
    return log.ask("SELECT position FROM ledger.head")
