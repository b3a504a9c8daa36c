"""Metrics count erasures and downloads of evidence: they are not for everyone."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from pydantic import ValidationError

from api.http import problems
from api.operations.metrics_access import MetricsAccess
from permit_ledger.bootstrap.http_basis import HttpBasis
from permit_ledger.keys.files import UnusableKey
from permit_ledger.roles.api import proxy_options
from permit_ledger.settings import Settings

TOKEN = "a-token-of-some-length"
HOST = (b"host", b"127.0.0.1:8000")
PROXIES = (
    *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"),
    *("X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "X-Envoy-External-Address", "CDN-Loop"),
)


@contextmanager
def serving(access, **how):
    """A server with nothing but the check of access, and the client's address as it is known."""
    app = FastAPI()
    problems.install(app)

    @app.get("/metrics")
    async def metrics(request: Request):
        access.require(request)
        return request.client.host

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, **how)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([free])), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        try:
            with httpx.Client(base_url=address, trust_env=False) as http:
                yield http
        finally:
            server.should_exit = True
            thread.join()


def test_without_a_token_programs_of_this_machine_are_answered():
    """That ask the service itself: what came by a proxy came from anywhere."""
    with serving(MetricsAccess(), proxy_headers=False) as http:
        assert 200 == http.get("/metrics").status_code
        ours = {"X-Prometheus-Scrape-Timeout-Seconds": "5", "X-Correlation-ID": "a"}
        assert 200 == http.get("/metrics", headers=ours).status_code
        for header in PROXIES:
            answer = http.get("/metrics", headers={header: "127.0.0.1"})
            assert (403, "FORBIDDEN") == (answer.status_code, answer.json()["code"]), header
        assert 403 == http.get("/metrics", headers={"Host": "permits.example"}).status_code
        with socket.create_connection((http.base_url.host, http.base_url.port)) as nginx:
            nginx.sendall(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            assert nginx.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 200),
        ({"public_url": "http://127.0.0.1:8000"}, 200),
        ({"public_url": "https://permits.example"}, 403),
        ({"trusted_proxies": "10.0.0.2"}, 403),
        ({"trusted_proxies": "127.0.0.1"}, 403),
    ],
)
def test_behind_a_proxy_metrics_need_a_token(settings, status):
    """One that adds no header is known by the settings."""
    access = HttpBasis(Settings(**settings), "", None, None).metrics_access()
    with serving(access, **proxy_options(Settings(**settings))) as http:
        assert status == http.get("/metrics").status_code


def test_an_address_from_elsewhere_is_not_answered():
    """It is the connection's address that counts, and that is not this machine's."""
    scope = {"type": "http", "http_version": "1.1", "path": "/metrics", "headers": [HOST]}
    for client in (("10.1.2.3", 1), ("::ffff:10.1.2.3", 1), ("127.0.0.2", 1), None, ("", 0)):
        with pytest.raises(problems.HttpProblem):
            MetricsAccess().require(Request({**scope, "client": client}))
    MetricsAccess().require(Request({**scope, "client": ("::ffff:127.0.0.1", 1)}))


@pytest.mark.parametrize(
    "given", ["", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
def test_with_a_token_only_who_has_it_is_answered(given):
    """Also on this machine."""
    with serving(MetricsAccess(TOKEN), proxy_headers=False) as http:
        answer = http.get("/metrics", headers={"Authorization": given} if given else {})

        assert (401, "UNAUTHENTICATED") == (answer.status_code, answer.json()["code"])
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        by_proxy = {"Authorization": f"bearer {TOKEN}", "X-Forwarded-For": "10.1.2.3"}
        assert 200 == http.get("/metrics", headers=by_proxy).status_code


def test_a_file_without_a_token_is_refused(tmp_path):
    """An empty one would let everybody in."""
    file = tmp_path / "token"
    for content in ("", "\n", "short", "two words of it that are long"):
        file.write_text(content)
        basis = HttpBasis(Settings(metrics_token_file=file), "", None, None)
        with pytest.raises(UnusableKey, match="holds no token for metrics"):
            basis.metrics_access()
    file.write_text(f"{TOKEN}\n")
    assert MetricsAccess(TOKEN) == basis.metrics_access()


# -- addresses of clients ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "seen"),
    [(None, "127.0.0.1"), ("10.0.0.0/8", "127.0.0.1"), ("127.0.0.0/8", "203.0.113.9")],
)
def test_a_forwarded_address_is_believed_from_configured_proxies_only(trusted, seen):
    """Otherwise anybody could spend another client's allowance, or have a new one for each
    request."""
    how = proxy_options(Settings(trusted_proxies=trusted))

    with serving(MetricsAccess(TOKEN), **how) as http:
        answer = http.get(
            "/metrics",
            headers={"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "1.2.3.4, 203.0.113.9"},
        )

    assert seen == answer.json()


@pytest.mark.parametrize("given", ["proxy.example", "10.0.0.1/8", "*", "10.0.0.1;10.0.0.2", ","])
def test_proxies_are_addresses_and_networks(given):
    """A name, or everybody, is refused at the start."""
    with pytest.raises(ValidationError, match="PERMIT_LEDGER_TRUSTED_PROXIES"):
        Settings(trusted_proxies=given)
