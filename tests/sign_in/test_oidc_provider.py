"""Signing in at another provider, oidc-provider: claims in the ID token, and none in JWT access
tokens."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest

from api.sign_in.provider import METADATA_AGE_S
from domain import citizen_id
from tests.api.conftest import free_port
from tests.api.service import Service
from tests.foreign.tools import TOOLS, node
from tests.sign_in.keycloak import SECRET
from tests.sign_in.visitor import Walker
from tests.waiting import until
from tests.web.browsers import required

CLAIMS = Path(__file__).parents[2] / "deploy" / "oidc" / "claims.toml"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
WAIT_S = 60
REDIRECTS_MAX = 10
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
LOGOUT = re.compile(r'<form id="op.logoutForm"[^>]* action="([^"]+)"')
ACCOUNTS: dict[str, dict[str, Any]] = {
    "officer": {
        "name": "Officer One",
        "groups": ["permits/counter", "canteen"],
        "organisation": {"station": "320211-01"},
    },
    "checker": {
        "name": "Checker",
        "groups": ["permits/checks"],
        "organisation": {"scenarios": ["patrol_inspection"]},
    },
    "stranger": {"name": "Stranger", "groups": ["canteen"]},
}


class Provider:
    """The program, until :meth:`stop`."""

    def __init__(self, public_url: str) -> None:
        library = TOOLS / "node_modules" / "oidc-provider" / "lib" / "index.js"
        required(library.is_file(), "oidc-provider")
        port = free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        client = {
            "client_id": "permit-ledger-pages",
            "client_secret": SECRET,
            "redirect_uris": [f"{public_url}/auth/callback"],
            "post_logout_redirect_uris": [f"{public_url}/signed-out"],
            "backchannel_logout_uri": f"{public_url}/auth/back-channel-logout",
            "backchannel_logout_session_required": True,
        }
        given = json.dumps({"port": port, "client": client, "accounts": ACCOUNTS})
        self._process = subprocess.Popen(
            [node(), str(SCRIPT), library.as_uri(), given],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        assert any(line == "ready\n" for line in self._process.stdout)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class Person(Walker):
    """Someone at their browser, who signs in at this provider."""

    def callback(self, name: str, next_page: str = "/counter") -> str:
        answer = self.ask("GET", f"/auth/sign-in?next={next_page}")
        at = answer.headers["location"]
        for _ in range(REDIRECTS_MAX):
            if at.startswith(self.url):
                return at
            answer = self.ask("GET", at)
            if answer.status_code == 200:
                entered = {"prompt": "login", "login": name, "password": "any"}
                answer = self.ask("POST", at, data=entered)
            at = urljoin(at, answer.headers["location"])
        raise AssertionError(f"too many redirects, the last to {at}")

    def sign_out_at(self, address: str) -> str:
        """Confirm it at the provider; where the browser then goes."""
        form = self.ask("GET", address)
        found = LOGOUT.search(form.text)
        assert found, form.text[:2000]
        fields = {**dict(HIDDEN.findall(form.text)), "logout": "yes"}
        back: str = self.ask("POST", found[1], data=fields).headers["location"]
        return back


@pytest.fixture(scope="module")
def other_provider(service_port: int) -> Iterator[Provider]:
    provider = Provider(f"http://127.0.0.1:{service_port}")
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def environment(
    environment_for: Callable[..., dict[str, str]], other_provider: Provider
) -> dict[str, str]:
    issuer = other_provider.issuer
    return environment_for(issuer, f"{issuer}/jwks", CLAIMS)


def test_the_claims_of_the_id_token_are_read(service: Service) -> None:
    """Nested ones, by the mapping; roles that mean nothing here are passed over."""
    officer, checker = Person(service.url), Person(service.url)
    assert officer.sign_in("officer") == "/counter"
    seen = officer.session()
    assert (seen["role"], seen["station"], seen["name"]) == (
        "registrar",
        "320211-01",
        "Officer One",
    )
    number = citizen_id.compose("320106", date(1990, 1, 1), 7)
    found = officer.post("/v1/permits/searches", {"citizen_id_number": number})
    assert (found.status_code, found.json()["permits"]) == (200, [])

    assert checker.sign_in("checker", "/verify") == "/verify"
    assert checker.session()["scenarios"] == ["patrol_inspection"]
    assert Person(service.url).sign_in("stranger") == "/counter#sign-in=no_role"


def test_signing_out_ends_the_providers_session(service: Service) -> None:
    person = Person(service.url)
    person.sign_in("officer")
    address = person.post("/auth/sign-out").json()["location"]
    sent = dict(parse_qsl(urlsplit(address).query))
    assert sent["post_logout_redirect_uri"] == f"{service.url}/signed-out"
    assert "id_token_hint" not in sent  # its ID tokens name a person
    assert person.ask("GET", "/auth/session").status_code == 401
    assert person.sign_out_at(address) == f"{service.url}/signed-out"
    again = person.ask("GET", person.ask("GET", "/auth/sign-in").headers["location"])
    assert "/interaction/" in again.headers["location"]  # it asks who is there


def test_the_provider_ends_the_session_here(service: Service, other_provider: Provider) -> None:
    """By its back channel; that of another account goes on."""
    person, other = Person(service.url), Person(service.url)
    person.sign_in("officer")
    other.sign_in("checker", "/verify")
    person.sign_out_at(f"{other_provider.issuer}/session/end")
    until(lambda: person.ask("GET", "/auth/session").status_code == 401, wait_s=WAIT_S)
    assert other.session()["role"] == "verifier"


def test_while_the_provider_is_down_sessions_go_on(
    service: Service, other_provider: Provider
) -> None:
    """And the sign-in says so. This ends the provider: it is the last test."""
    person = Person(service.url)
    person.sign_in("officer")
    other_provider.stop()
    time.sleep(METADATA_AGE_S + 1)  # what was read of the provider is trusted for so long
    assert person.session()["role"] == "registrar"
    again = person.ask("GET", "/auth/sign-in?next=/counter")
    assert again.headers["location"] == "/counter#sign-in=provider_unavailable"
    assert person.post("/auth/sign-out").json() == {"location": "/signed-out"}
