"""Undocumented addresses and methods."""

import pytest

CLOSE = b"Host: x\r\nConnection: close\r\n"


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
                + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n"
                + bearer
            )

            answer = service.say(request + b"\r\n")

            assert 404 == status(answer)
            assert b"evil.example" not in answer


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
