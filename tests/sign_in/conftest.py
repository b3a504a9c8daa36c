"""The service with a real OpenID provider, and people who sign in there."""

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.api.conftest import application, free_port  # noqa: F401  a fixture
from tests.api.service import Service
from tests.sign_in.keycloak import SECRET, Keycloak, NoKeycloak, server
from tests.web.browsers import Visitor, chromium

CLAIMS = Path(__file__).parents[2] / "deploy" / "keycloak" / "claims.toml"


@pytest.fixture(scope="module")
def service_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def keycloak_url(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """One server for all test processes. Without it, the tests that need it are skipped, and fail
    where ``CI`` is set."""
    folder = tmp_path_factory.getbasetemp()
    try:
        with server(folder if worker_id == "master" else folder.parent) as url:
            yield url
    except NoKeycloak as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no Keycloak to test with: {missing}", pytrace=False)
        warnings.warn(f"NO KEYCLOAK, its tests are SKIPPED: {missing}", stacklevel=2)
        pytest.skip(f"no Keycloak: {missing}")


@pytest.fixture(scope="module")
def provider(keycloak_url: str, service_port: int, users: list[dict[str, Any]]) -> Keycloak:
    """A realm of Keycloak for this module, with its ``users``."""
    return Keycloak(keycloak_url, f"http://127.0.0.1:{service_port}", users)


@pytest.fixture(scope="module")
def service_dir(make_service_dir: Callable[[], Path]) -> Path:
    return make_service_dir()


@pytest.fixture(scope="module")
def environment_for(service_dir: Path, service_port: int) -> Callable[..., dict[str, str]]:
    """``environment_for(issuer, jwks, claims)``: the settings of a service that signs people in at
    this provider."""

    def make(issuer: str, jwks: str, claims: Path) -> dict[str, str]:
        secret = service_dir.parent / "client-secret"
        secret.write_text(f"{SECRET}\n")
        return {
            **os.environ,
            "PERMIT_LEDGER_ISSUER": issuer,
            "PERMIT_LEDGER_JWKS": jwks,
            "PERMIT_LEDGER_OIDC_ISSUER": issuer,
            "PERMIT_LEDGER_OIDC_CLIENT_ID": "permit-ledger-pages",
            "PERMIT_LEDGER_OIDC_CLIENT_SECRET_FILE": str(secret),
            "PERMIT_LEDGER_OIDC_CLAIMS": str(claims),
            "PERMIT_LEDGER_PUBLIC_URL": f"http://127.0.0.1:{service_port}",
        }

    return make


@pytest.fixture(scope="module")
def environment(
    environment_for: Callable[..., dict[str, str]], provider: Keycloak
) -> dict[str, str]:
    """Of the module's service; a module with another provider has a fixture of its own."""
    issuer = provider.issuer
    return environment_for(issuer, f"{issuer}/protocol/openid-connect/certs", CLAIMS)


@pytest.fixture(scope="module")
def service(service_dir: Path, service_port: int, environment: dict[str, str]) -> Iterator[Service]:
    service = Service(service_dir, service_port)
    service.launch(environment=environment)
    service.wait_until_ready()
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser, service: Service) -> Iterator[Callable[..., Visitor]]:
    """``visitor()``: a separate browser, whose pages must report no error by the end."""
    made: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        made.append(Visitor(browser, service.url, **options))
        return made[-1]

    yield make
    complaints = [what for one in made for what in one.complaints]
    for one in made:
        one.leave()
    assert [] == complaints


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client
