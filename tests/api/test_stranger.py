"""What comes through a socket: bytes that are no request, or mean to be two."""

import socket

import pytest

CLOSE = b"Host: x\r\nConnection: close\r\n"
JSON = b"Content-Type: application/json\r\n"
HEADER_BYTES = 1_000_000
RECEIVE_TIMEOUT_S = 20


@pytest.fixture
def say(service):
    """``say(bytes)``: what the service answers until it closes the connection."""

    def exchange(sent):
        with socket.create_connection(("127.0.0.1", service.port), RECEIVE_TIMEOUT_S) as stream:
            received = b""
            try:
                stream.sendall(sent)
                while part := stream.recv(65536):
                    received += part
            except (BrokenPipeError, ConnectionResetError):
                pass  # it had heard enough
        return received

    return exchange


@pytest.fixture
def bearer(registrar):
    return f"Authorization: {registrar.headers['Authorization']}\r\n".encode()


@pytest.fixture
def loss(issue, bearer, read):
    """``loss(headers, body)``: a raw loss report; ``loss.version()`` of its permit."""

    class Loss:
        permit = issue()

        def __call__(self, headers, body=b"{}"):
            path = f"/v1/permits/{self.permit['permit_number']}/loss-reports".encode()
            return b"POST " + path + b" HTTP/1.1\r\n" + CLOSE + bearer + headers + b"\r\n" + body

        def version(self):
            return read(self.permit)["version"]

    return Loss()


def status(answer):
    """The status of a raw answer, ``None`` where there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None


@pytest.mark.parametrize(
    "path",
    [
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
    ],
    ids=lambda path: repr(path[:40]),
)
def test_an_address_that_leads_nowhere(say, bearer, path):
    """However it is spelt, it is the caller's mistake."""
    answer = say(b"GET " + path + b" HTTP/1.1\r\n" + CLOSE + bearer + b"\r\n")

    assert status(answer) in {400, 404, 414}
    assert b"X-Injected" not in answer


@pytest.mark.parametrize("path", [b"/healthz/", b"/v1/permits/", b"/v1/permits/000000000000/"])
def test_an_address_with_a_slash_too_many_is_another(say, bearer, path):
    """No redirect to wherever the Host header says, with the token still in hand."""
    request = b"GET " + path + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n" + bearer

    answer = say(request + b"\r\n")

    assert 404 == status(answer)
    assert b"evil.example" not in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"\r\n\r\n\r\n",
        b"hello\r\n\r\n",
        b"get /healthz HTTP/1.1\r\n" + CLOSE + b"\r\n",
        b"FOO /healthz HTTP/1.1\r\n" + CLOSE + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\n" + CLOSE + b"\r\n",
        bytes.fromhex("160301020001000001fc0303") + bytes(500),
        b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + CLOSE + b"X-A: a\r\n folded\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + CLOSE + b"X-A: a\x00b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + CLOSE + b"X-A: a\x01b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + CLOSE + b": nameless\r\n\r\n",
        b"GET /healthz\x00 HTTP/1.1\r\n" + CLOSE + b"\r\n",
    ],
    ids=lambda request: repr(request[:40]),
)
def test_what_is_no_request_is_answered_400_at_most(say, request_):
    """And the connection is closed."""
    assert status(say(request_)) in {400, None}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{} "),
        (b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}"),
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked, identity\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
        (b"Content-Length: -2\r\n", b"{}"),
        (b"Content-Length: +2\r\n", b"{}"),
        (b"Content-Length: 0x2\r\n", b"{}"),
        (b"Content-Length: 2, 2\r\n", b"{}"),
        (b"Content-Length: 99999999999999999999999\r\n", b"{}"),
        ("Content-Length: ２\r\n".encode(), b"{}"),
    ],
    ids=lambda part: repr(part[:60]),
)
def test_a_length_that_can_be_read_in_two_ways_is_refused(say, loss, headers, body):
    """Nothing is appended: no second request can be smuggled in behind the first."""
    assert 400 == status(say(loss(JSON + headers, body)))
    assert 1 == loss.version()


@pytest.mark.parametrize(
    "header",
    [
        b"Idempotency-Key: one\r\nIdempotency-Key: two\r\n",
        b'If-Match: "8"\r\nIf-Match: "9"\r\n',
        b"Content-Type: text/plain\r\n",
        b"Authorization: Bearer nobody\r\n",
        b"Authorization: Basic dXNlcjpwYXNz\r\n",
        b"X-Correlation-ID: a\r\nX-Correlation-ID: b\r\n",
        b"Host: y\r\n",
        b"X-HTTP-Method-Override: DELETE\r\n",
        b"X-Forwarded-For: 1.2.3.4, ::1, nonsense\r\nX-Forwarded-Proto: javascript\r\n",
        b"Forwarded: for=;proto=\r\n",
        b"Expect: 200-maybe\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Range: bytes=0-0\r\n",
        b"Cookie: " + b"a=b; " * 1000 + b"\r\n",
    ],
    ids=lambda header: repr(header[:40]),
)
def test_headers_twice_or_without_meaning_break_nothing(say, loss, header):
    """Served or refused; in either case the log says whether it happened."""
    answer = say(loss(JSON + header + b"Content-Length: 2\r\n"))

    assert status(answer) in {200, 400, 401, 412, 415, 417, 422}
    assert (2 if status(answer) == 200 else 1) == loss.version()


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND", "PATCH", "PURGE"])
@pytest.mark.parametrize("path", ["/healthz", "/v1/permits", "/v1/permits/000000000000"])
def test_a_method_that_is_not_served(http, registrar, method, path):
    """405 with Allow; TRACE repeats no token, OPTIONS opens no other origin."""
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    answer = http.request(method, path, headers={**registrar.headers, **origin})

    assert (405, "METHOD_NOT_ALLOWED") == (answer.status_code, answer.json()["code"])
    assert answer.headers["Allow"]
    assert registrar.headers["Authorization"] not in answer.text
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/.well-known/jwks.json"])
def test_head_is_get_without_the_body(http, path):
    """RFC 9110 §9.1: what answers GET answers HEAD."""
    answer = http.head(path)

    assert (200, b"") == (answer.status_code, answer.content)


@pytest.mark.parametrize(
    "start",
    [b"GET /healthz HTTP/1.1\r\n" + CLOSE + b"X-Long: ", b"GET /healthz?"],
    ids=["header", "address"],
)
def test_what_comes_before_the_body_has_a_bound(say, start):
    """A megabyte of it is refused and not kept in memory for whoever asks."""
    end = b" HTTP/1.1\r\n" + CLOSE if b"?" in start else b"\r\n"

    answer = say(start + b"a" * HEADER_BYTES + end + b"\r\n")

    assert status(answer) in {400, 414, 431, None}


def test_requests_in_a_row_are_answered_in_a_row(say):
    """Pipelined on one connection."""
    paths = [b"/healthz", b"/nowhere", b"/"]
    requests = [b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths]
    last = b"GET /healthz HTTP/1.1\r\n" + CLOSE + b"\r\n"

    answers = say(b"".join(requests) + last).split(b"HTTP/1.1 ")[1:]

    assert [b"200", b"404", b"200", b"200"] == [answer[:3] for answer in answers]


def test_a_caller_who_leaves_amid_a_request_leaves_nothing(say, service, loss, http):
    """A body that was announced and never came appends nothing."""
    request = loss(JSON + b"Content-Length: 1000\r\n")
    with socket.create_connection(("127.0.0.1", service.port)) as stream:
        stream.sendall(request)

    assert 200 == http.get("/readyz").status_code
    assert 1 == loss.version()
