"""The service with a real OpenID provider, and people who sign in there."""

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.api.conftest import application, free_port  # noqa: F401  a fixture
from tests.api.service import Service
from tests.sign_in.keycloak import SECRET, Keycloak, NoKeycloak
from tests.web.browsers import Visitor, chromium

CLAIMS = Path(__file__).parents[2] / "deploy" / "keycloak" / "claims.toml"


@pytest.fixture(scope="module")
def service_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def provider(service_port: int, users: list[dict[str, Any]]) -> Iterator[Keycloak]:
    """Keycloak. Without it, the tests that need it are skipped, and fail where ``CI`` is set."""
    with TemporaryDirectory(prefix="permit-ledger-keycloak-") as folder:
        keycloak = Keycloak(Path(folder), f"http://127.0.0.1:{service_port}", users)
        try:
            keycloak.start()
        except NoKeycloak as missing:
            keycloak.stop()
            if os.environ.get("CI") == "true":
                pytest.fail(f"no Keycloak to test with: {missing}", pytrace=False)
            warnings.warn(f"NO KEYCLOAK, its tests are SKIPPED: {missing}", stacklevel=2)
            pytest.skip(f"no Keycloak: {missing}")
        yield keycloak
        keycloak.stop()


def environment_for(provider: Keycloak, folder: Path, public_url: str) -> dict[str, str]:
    """The settings of a service that signs people in at the provider."""
    secret = folder / "client-secret"
    secret.write_text(f"{SECRET}\n")
    return {
        **os.environ,
        "PERMIT_LEDGER_ISSUER": provider.issuer,
        "PERMIT_LEDGER_JWKS": f"{provider.issuer}/protocol/openid-connect/certs",
        "PERMIT_LEDGER_OIDC_ISSUER": provider.issuer,
        "PERMIT_LEDGER_OIDC_CLIENT_ID": "permit-ledger-pages",
        "PERMIT_LEDGER_OIDC_CLIENT_SECRET_FILE": str(secret),
        "PERMIT_LEDGER_OIDC_CLAIMS": str(CLAIMS),
        "PERMIT_LEDGER_PUBLIC_URL": public_url,
    }


@pytest.fixture(scope="module")
def service(
    make_service_dir: Callable[[], Path], provider: Keycloak, service_port: int
) -> Iterator[Service]:
    folder = make_service_dir()
    service = Service(folder, service_port)
    service.launch(environment=environment_for(provider, folder.parent, service.url))
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
