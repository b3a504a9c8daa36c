"""Forged, replayed and bent things: a short form of ``./dev bench forged``."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.forged import Forger, environment_with
from bench.willing_provider import WillingProvider
from tests.api.conftest import free_port
from tests.api.service import Service

THINGS = 500


@pytest.fixture(scope="module")
def provider() -> Iterator[WillingProvider]:
    with WillingProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def trusting(make_service_dir: Callable[[], Path], provider: WillingProvider) -> Iterator[Service]:
    """A service whose issuer and provider are this one."""
    folder = make_service_dir()
    service = Service(folder, free_port())
    service.launch(environment=os.environ | environment_with(provider, folder.parent, service.url))
    service.wait_until_ready()
    yield service
    assert service.stop() == 0


def test_none_of_them_is_accepted(trusting: Service, provider: WillingProvider) -> None:
    """Of any kind, and none ends in a failure; what is right is accepted before and after."""
    seed = random.SystemRandom().getrandbits(32)
    with Forger.at(trusting.url, provider, seed) as forger:
        forger.send(THINGS)
        assert ([], []) == (forger.accepted, forger.failures), f"seed {seed}"
        assert len(forger.sent) == 7
