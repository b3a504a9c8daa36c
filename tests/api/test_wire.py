"""Raw bytes on a socket: malformed requests, and requests that could be read as two."""

import socket

import pytest

CLOSE = b"Host: localhost\r\nConnection: close\r\n"
JSON = b"Content-Type: application/json\r\n"
HEADER_BYTES = 1_000_000


@pytest.fixture
def bearer(registrar):
    return f"Authorization: {registrar.headers['Authorization']}\r\n".encode()


@pytest.fixture
def loss(issue, bearer):
    """A permit's number, and ``loss(headers, body)``: a raw report of its loss."""
    number = issue()["permit_number"]
    start = f"POST /v1/permits/{number}/loss-reports HTTP/1.1\r\n".encode() + CLOSE + bearer
    return number, lambda headers, body=b"{}": start + JSON + headers + b"\r\n" + body


@pytest.fixture
def version(service):
    """``version(number)``: how many events the log holds of a permit."""
    query = "SELECT count(*) FROM ledger.events WHERE stream = %s"
    return lambda number: service.rows(query, number)[0][0]


def status(answer):
    """The status of a raw answer, ``None`` where there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None


def test_a_malformed_request_gets_at_most_a_400(subtests, service):
    """And the connection is closed."""
    for request_ in [
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
    ]:
        with subtests.test(request_=request_):
            assert status(service.say(request_)) in {400, None}


def test_an_ambiguous_length_is_refused(subtests, service, loss, version):
    """Nothing is appended: no second request can be smuggled behind the first."""
    for headers, body in [
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
    ]:
        with subtests.test(headers=headers, body=body):
            number, report = loss

            assert 400 == status(service.say(report(headers, body)))
            assert 1 == version(number)


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
def test_repeated_or_unknown_headers_do_no_harm(service, loss, version, header):
    """The request is served or refused completely: the log agrees with the response."""
    number, report = loss

    answer = service.say(report(header + b"Content-Length: 2\r\n"))

    assert status(answer) in {200, 400, 401, 412, 415, 417, 421, 422}
    assert (2 if status(answer) == 200 else 1) == version(number)


CHUNKED = b"POST /v1/verifications HTTP/1.1\r\n" + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"


def test_request_line_and_headers_are_bounded(subtests, service):
    """A megabyte is refused, and not kept in memory."""
    for start, end in [
        (b"GET /healthz HTTP/1.1\r\n" + CLOSE + b"X-Long: ", b"\r\n\r\n"),
        (b"GET /healthz?", b" HTTP/1.1\r\n" + CLOSE + b"\r\n"),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX-Long: ", b"\r\n\r\n"),
    ]:
        with subtests.test(start=start, end=end):
            answer = service.say(start + b"a" * HEADER_BYTES + end)

            assert status(answer) in {400, 414, 431, None}


def test_a_request_after_a_large_one_is_limited_by_itself(subtests, service, bearer):
    """By its own address and headers, not by earlier data in the same packet."""
    for body_bytes in range(100_000, 200_000, 10_000):
        with subtests.test(body_bytes=body_bytes):
            small = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
            large = b"POST /v1/permits HTTP/1.1\r\nHost: localhost\r\n" + bearer + JSON
            large += b"Content-Length: %d\r\n\r\n" % body_bytes + b"[" * body_bytes
            half, rest = (
                b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConn",
                b"ection: close\r\n\r\n",
            )

            received = b""
            with socket.create_connection(("127.0.0.1", service.port), 20) as stream:
                stream.sendall(small * 3 + large + half)
                while received.count(b"HTTP/1.1 ") < 4 and (part := stream.recv(65536)):
                    received += part
                stream.sendall(rest)
                while part := stream.recv(65536):
                    received += part

            statuses = [answer[:3] for answer in received.split(b"HTTP/1.1 ")[1:]]
            assert [b"200", b"200", b"200", b"422", b"200"] == statuses


def test_pipelined_requests_are_answered_in_order(service):
    """On one connection."""
    paths = [b"/healthz", b"/nowhere", b"/"]
    requests = [b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in paths]
    last = b"GET /healthz HTTP/1.1\r\n" + CLOSE + b"\r\n"

    answers = service.say(b"".join(requests) + last).split(b"HTTP/1.1 ")[1:]

    assert [b"200", b"404", b"200", b"200"] == [answer[:3] for answer in answers]


def test_an_incomplete_request_appends_nothing(service, loss, version, http):
    """Its announced body never arrived."""
    number, report = loss
    with socket.create_connection(("127.0.0.1", service.port)) as stream:
        stream.sendall(report(b"Content-Length: 1000\r\n"))

    assert 200 == http.get("/readyz").status_code
    assert 1 == version(number)
