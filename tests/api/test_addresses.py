"""Undocumented addresses and methods."""

import pytest

from permit_ledger.bootstrap.http_basis import HttpBasis
from permit_ledger.settings import Settings

CLOSE = b"Host: localhost\r\nConnection: close\r\n"


@pytest.fixture
def bearer(registrar):
    return f"Authorization: {registrar.headers['Authorization']}\r\n".encode()


def status(answer):
    """The status of a raw answer, ``None`` where there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None


def test_an_unknown_address_is_not_found(subtests, service, bearer):
    """However it is spelled, it is the caller's mistake."""
    for path in [
        b"/v1/permits/%2e%2e",
        b"/v1/permits/%2e%2e/%2e%2e/healthz",
        b"/v1/permits/..%2f..%2fhealthz",
        b"/v1/permits/%00",
        b"/v1/permits/000000000000%00",
        b"/v1/permits/%ff%fe",
        b"/v1/permits/\xff\xfe",
        "/v1/permits/居住证".encode(),
        b"/v1/permits/%",
        b"/v1/permits/%zz",
        b"/v1/permits/000000000000;version=1",
        b"/v1/permits/" + b"a" * 60_000,
        b"/" + b"a" * 70_000,
        b"/v1//permits/000000000000",
        b"//evil.example/v1/permits/000000000000",
        b"http://evil.example/v1/permits/000000000000",
        b"/healthz%0d%0aX-Injected:%201",
        b"/HEALTHZ",
        b"\\healthz",
        b"healthz",
        b"*",
        b"",
    ]:
        with subtests.test(path=path):
            answer = service.say(b"GET " + path + b" HTTP/1.1\r\n" + CLOSE + bearer + b"\r\n")

            assert status(answer) in {400, 404, 414}
            assert b"X-Injected" not in answer


def test_an_address_with_an_extra_slash_is_not_redirected(subtests, service, bearer):
    """No redirect to the host of the Host header, which would get the token."""
    for path in [b"/healthz/", b"/v1/permits/", b"/v1/permits/000000000000/"]:
        with subtests.test(path=path):
            request = (
                b"GET "
                + path
                + b" HTTP/1.1\r\nHost: evil.localhost\r\nConnection: close\r\n"
                + bearer
            )

            answer = service.say(request + b"\r\n")

            assert 404 == status(answer)
            assert b"evil.localhost" not in answer


def test_development_mode_answers_under_names_of_this_machine_only(subtests, service):
    """A web page whose name was made to lead here would get a token."""
    own = [
        b"127.0.0.1",
        b"127.1.2.3:1",
        b"LOCALHOST:8000",
        b"localhost.",
        b"[::1]:8000",
        b"a.localhost",
    ]
    others = [
        *(b"evil.example", b"evil.example:8000", b"10.1.2.3", b"127.0.0.1.evil.example", b""),
        *(b"localhost.evil.example", b"127.0.0.1@evil.example", b"[::1", b"127.1", b"\xff"),
    ]
    for path in (
        b"GET /v1/stats/summary",
        b"POST /v1/verifications",
        b"POST /v1/dev/tokens",
        b"GET /healthz",
    ):
        for host in own + others:
            with subtests.test(path=path, host=host):
                answer = service.say(
                    path + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
                )

                assert (421 == status(answer)) == (host in others)
                assert (b'"code":"MISDIRECTED"' in answer) == (host in others)
    two = CLOSE + b"Host: evil.example\r\n"
    assert 421 == status(service.say(b"GET / HTTP/1.1\r\n" + two + b"\r\n"))


@pytest.mark.parametrize(
    ("settings", "path", "host", "is_answered"),
    [
        ({"development": True}, "/", "mine.example", False),
        ({"development": True, "host": "mine.example"}, "/", "mine.example", True),
        ({"development": True, "public_url": "https://p.example"}, "/", "p.example:443", True),
        ({"public_url": "https://p.example"}, "/v1/me/permit", "P.example", True),
        ({"public_url": "https://p.example"}, "/v1/me/permit", "evil.example", False),
        ({"public_url": "https://p.example"}, "/v1/me/permit", "10.1.2.3:8000", False),
        ({"public_url": "https://p.example"}, "/readyz", "10.1.2.3:8000", True),
        ({"public_url": "https://p.example"}, "/metrics", "api:8000", True),
        ({"public_url": "https://p.example"}, "/v1/me/permit", "127.0.0.1:8000", True),
    ],
)
def test_a_public_name_is_the_only_other_one(settings, path, host, is_answered):
    """Load balancers and Prometheus ask health and metrics by an address."""
    hosts = HttpBasis(Settings(**settings), "", None, None).hosts()

    assert is_answered == hosts.admit(path, [host])


def test_without_a_public_name_every_one_is_answered():
    """Under which names callers know the service is not known here."""
    assert HttpBasis(Settings(), "", None, None).hosts() is None


def test_a_method_that_is_not_served(subtests, http, registrar):
    """405 with Allow; TRACE repeats no token, OPTIONS opens no other origin."""
    for method in ["OPTIONS", "TRACE", "PROPFIND", "PATCH", "PURGE"]:
        for path in ["/healthz", "/v1/permits", "/v1/permits/000000000000"]:
            with subtests.test(method=method, path=path):
                origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

                answer = http.request(method, path, headers={**registrar.headers, **origin})

                assert (405, "METHOD_NOT_ALLOWED") == (answer.status_code, answer.json()["code"])
                assert answer.headers["Allow"]
                assert registrar.headers["Authorization"] not in answer.text
                assert not [name for name in answer.headers if name.startswith("access-control")]


def test_head_is_get_without_the_body(subtests, http):
    """RFC 9110 §9.1: what answers GET answers HEAD, with the same headers."""
    for path in ["/healthz", "/readyz", "/metrics", "/.well-known/jwks.json"]:
        with subtests.test(path=path):
            answer = http.head(path)

            assert (200, b"") == (answer.status_code, answer.content)
            assert http.get(path).headers["Content-Type"] == answer.headers["Content-Type"]
