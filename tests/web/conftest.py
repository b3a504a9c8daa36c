"""The service as users start it, and browsers that come to it."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.api.conftest import application, free_port  # noqa: F401  a fixture
from tests.api.service import Caller, Service
from tests.web.browsers import Visitor, chromium


@pytest.fixture(scope="session")
def service(make_data_dir: Callable[[], Path]) -> Iterator[Service]:
    """One for all pages; tests keep to people of their own."""
    service = Service(make_data_dir() / "data", free_port()).start()
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="session")
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture
def registrar(http: httpx.Client) -> Caller:
    return Caller.with_token(http, "registrar")


@pytest.fixture
def pass_seconds(http: httpx.Client) -> Iterator[Callable[[int], None]]:
    """``pass_seconds(31)``: so much later by the service's clock, for this test."""
    before = http.get("/v1/dev/clock").json()["now"]

    def later(seconds: int) -> None:
        now = datetime.fromisoformat(http.get("/v1/dev/clock").json()["now"])
        instant = (now + timedelta(seconds=seconds)).isoformat()
        assert http.put("/v1/dev/clock", json={"now": instant}).status_code == 200

    yield later
    assert http.put("/v1/dev/clock", json={"now": before}).status_code == 200


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Runs an event loop in the main thread: gone before tests that run one of their own."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser, service: Service) -> Iterator[Callable[..., Visitor]]:
    """``visitor(language="zh")``: a browser of somebody's own, that must have nothing to complain
    of in the end."""
    made: list[Visitor] = []

    def make(of: Browser = browser, **options: Any) -> Visitor:
        made.append(Visitor(of, service.url, **options))
        return made[-1]

    yield make
    complaints = [what for one in made for what in one.complaints]
    for one in made:
        one.leave()
    assert [] == complaints
