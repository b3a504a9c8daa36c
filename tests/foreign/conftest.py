"""A real log: a simulated district's, integrated and served as in use.

``PERMIT_LEDGER_TEST_LEAVES`` says how many leaves it has at least.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import application as application_of_the_api
from tests.api.conftest import free_port
from tests.api.service import Caller, Service
from tests.foreign.follower import Fetched
from tests.foreign.verifiers import CoseLog, Go, Scitt, Sigstore
from tests.waiting import until
from transparency.notes import NoteSigner

LEAVES = int(os.environ.get("PERMIT_LEDGER_TEST_LEAVES", "2000"))
EVENTS_OF_A_PERMIT = 2.5
GROW_TIMEOUT_S = 600


@pytest.fixture(scope="session")
def log_service(make_service_dir: Callable[[], Path]) -> Iterator[Service]:
    """Its log of events has ``LEAVES`` leaves and some, all of them under a signature."""
    service = Service(make_service_dir(), free_port()).start()
    grow(service, LEAVES, seed=1)
    until(lambda: _is_integrated(service), wait_s=GROW_TIMEOUT_S)
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="session")
def http(log_service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=log_service.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def log(http: httpx.Client) -> Fetched:
    """As a stranger fetches it, without a token."""
    fetched = Fetched.at(Caller(http), "/tlog")
    assert fetched.size >= LEAVES
    return fetched


@pytest.fixture(scope="session")
def cose(log_service: Service, log: Fetched) -> CoseLog:
    keys = (log_service.data_dir / "keys" / "log.keys").read_text().splitlines()
    signers = [NoteSigner.of(line) for line in keys if line.startswith("PRIVATE")]
    return CoseLog(next(each for each in signers if str(each.verifier) == log.key))


@pytest.fixture(scope="session")
def go() -> Go:
    return Go()


@pytest.fixture(scope="session")
def sigstore() -> Sigstore:
    return Sigstore()


@pytest.fixture(scope="session")
def scitt() -> Scitt:
    return Scitt()


def grow(service: Service, leaves: int, *, seed: int) -> None:
    """Simulate a district with about so many events."""
    permits = str(int(leaves / EVENTS_OF_A_PERMIT))
    subprocess.run(
        [
            *(sys.executable, "-m", "permit_ledger", "simulate", "--permits", permits),
            *("--days", "365", "--seed", str(seed), "--data-dir", str(service.data_dir)),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "PERMIT_LEDGER_DEVELOPMENT": "true"},
        timeout=GROW_TIMEOUT_S,
    )


def _is_integrated(service: Service) -> bool:
    [(trees, head)] = service.rows(
        "SELECT (SELECT max(size) FROM ledger.checkpoints WHERE tree = 'events'), position"
        " FROM ledger.head"
    )
    return bool(trees == head and head >= LEAVES)


application = application_of_the_api
