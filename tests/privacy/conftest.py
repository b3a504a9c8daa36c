"""A service whose output is recorded, and an attacker with a copy of its database and key files."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.api.conftest import free_port
from tests.api.service import Service
from tests.privacy.thief import Thief


@pytest.fixture
def service(make_service_dir: Callable[[], Path], tmp_path: Path) -> Iterator[Service]:
    """``permit-ledger up --empty``, whose output is kept."""
    service = Service(make_service_dir(), free_port())
    with ExitStack() as stack:
        words = stack.enter_context((tmp_path / "words.log").open("wb"))
        service.launch(stderr=words, environment={**os.environ, "PERMIT_LEDGER_LOG_LEVEL": "debug"})
        service.wait_until_ready()
        yield service
        service.end()


@pytest.fixture
def words(service: Service, tmp_path: Path) -> Callable[[], str]:
    """All output of the service so far."""
    return lambda: (tmp_path / "words.log").read_text(encoding="utf-8")


@pytest.fixture
def at_rest(service: Service) -> Callable[[], Path]:
    """The data folder, everything in memory written out: tables, WAL, keys, the server's log."""

    def at_rest() -> Path:
        with psycopg.connect(service.database_url, autocommit=True) as owner:
            owner.execute("CHECKPOINT")
            owner.execute("SELECT pg_switch_wal()")
            owner.execute("CHECKPOINT")
        return service.data_dir

    return at_rest


@pytest.fixture
def thief(service: Service) -> Iterator[Thief]:
    """An attacker with the whole database and every key file."""
    with psycopg.connect(service.database_url, autocommit=True) as owner:
        yield Thief(owner, service.data_dir)
