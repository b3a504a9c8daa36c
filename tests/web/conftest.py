"""The service as users start it, and browsers that open its pages."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from consumers.analytics.publishing import STEP_EVENTS
from domain import citizen_id
from tests.api.conftest import application, free_port  # noqa: F401  a fixture
from tests.api.service import Caller, Service
from tests.web.browsers import Visitor, chromium

SETTLED, BORN_ON = STEP_EVENTS + 10, date(1990, 1, 1)


@pytest.fixture(scope="session")
def service(make_service_dir: Callable[[], Path]) -> Iterator[Service]:
    """One service for all pages; each test uses people of its own."""
    service = Service(make_service_dir(), free_port()).start(has_statistics=True)
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="session")
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture
def registrar(http: httpx.Client) -> Caller:
    return Caller.with_token(http, "registrar")


@pytest.fixture(scope="session")
def settled(http: httpx.Client) -> None:
    """People in one district: enough that their number is published, and not withheld."""
    registrar = Caller.with_token(http, "registrar")
    for n in range(SETTLED):
        number = citizen_id.compose("998888", BORN_ON, 2 * n + 1)
        person = {
            "name": "欧阳测试",
            "sex": "1",
            "ethnicity": "01",
            "birth_date": BORN_ON.isoformat(),
            "citizen_id_number": number,
            "hukou_address": "安徽省合肥市测试路1号",
        }
        body = {
            "holder": person,
            "residence": {"division": "320211", "address": "蠡湖大道1号"},
            "residence_registered_on": "2020-01-15",
            "ground": "employment",
        }
        answer = registrar.post("/v1/permits", body)
        assert answer.status_code == 201, answer.text


@pytest.fixture
def pass_seconds(http: httpx.Client) -> Iterator[Callable[[int], None]]:
    """``pass_seconds(31)``: move the service's clock forward, for this test."""
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
    """``visitor(language="zh")``: a separate browser, whose pages must report no error by the
    end."""
    made: list[Visitor] = []

    def make(of: Browser = browser, **options: Any) -> Visitor:
        made.append(Visitor(of, service.url, **options))
        return made[-1]

    yield make
    complaints = [what for one in made for what in one.complaints]
    for one in made:
        one.leave()
    assert [] == complaints
