"""One client that holds many requests open: it takes the place of no other."""

import asyncio
import socket
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import httpx
import pytest

from api.http.admission import Admission, client_of, network_of
from api.http.problems import HttpProblem
from api.http.waits import Waits
from ledger.errors import Unavailable

NOT_YET = 2**40
PATIENCE_S = 10


@contextmanager
def held(service, number, path, address="127.0.0.1", **headers):
    """So many requests of one client, sent and left open."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nHost: {service.host}\r\n{lines}\r\n".encode()
    with ExitStack() as stack:
        sockets = []
        for _ in range(number):
            sockets.append(
                stack.enter_context(
                    socket.create_connection(
                        (service.host, service.port), source_address=(address, 0)
                    )
                )
            )
            sockets[-1].sendall(request)
        yield sockets


def statuses(sockets):
    """Of those answered by now; each of the others is kept waiting."""
    found = []
    for each in sockets:
        each.settimeout(0.2)
        try:
            found.append(int(each.recv(65536).split(b" ", 2)[1]))
        except TimeoutError:
            found.append(None)
    return found


@pytest.fixture
def neighbour(service):
    """A client with another address."""
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=service.url, timeout=PATIENCE_S, transport=transport) as client:
        yield client


def test_strangers_who_wait_take_no_evidence_away(service, issue, investigator, neighbour):
    """520 requests that wait for a position of the far future, as one client can send them: the
    investigator's own wait, for the tree, has places of its own; so have other strangers."""
    with held(service, 520, f"/tlog/proof/{NOT_YET}", "127.0.0.4", Prefer="wait=30") as sockets:
        statuses(sockets[-10:])  # all are there by now
        permit = issue()
        path = f"/v1/audit/permits/{permit['permit_number']}/evidence"
        evidence = investigator.get(path)
        proof = neighbour.get(
            f"/tlog/proof/{permit['as_of_position']}", headers={"prefer": "wait=5"}
        )

    assert 200 == evidence.status_code, evidence.text
    assert 200 == proof.status_code, proof.text


def test_one_client_has_few_waits(service):
    """Beyond its own number it gets 429 at once, and when to try again."""
    with held(service, 24, f"/tlog/proof/{NOT_YET}", "127.0.0.3", Prefer="wait=3") as sockets:
        found = statuses(sockets)

    assert 8 == found.count(429), found


def test_one_clients_streams_lock_no_other_out(service, neighbour):
    """205 public streams of one address: the others of it are refused, another address is not."""
    for path in ("/v1/live", "/v1/stats/live"):
        with held(service, 205, path) as sockets:
            found = statuses(sockets)
            with neighbour.stream("GET", path) as answer:
                status = answer.status_code

        assert (20, 185) == (found.count(200), found.count(429))
        assert 200 == status


def test_places_are_counted_by_client():
    """429 for the one that has too many, 503 once there is none at all; a freed place is free."""
    admission = Admission(3, "Too many.", a_client_max=2)
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        first.enter_context(admission.place("a"))
        stack.enter_context(admission.place("a"))
        with pytest.raises(HttpProblem) as refused, admission.place("a"):
            pass
        assert (429, "5") == (refused.value.status, refused.value.headers["Retry-After"])
        stack.enter_context(admission.place("b"))
        with pytest.raises(Unavailable), admission.place("c"):
            pass
        first.close()
        with admission.place("c"):
            pass


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "20010db800010002::/64"),
        ("2001:db8:1:2:bbbb:ffff::9", "20010db800010002::/64"),
        ("2001:db8:1:3::1", "20010db800010003::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80000000000000::/64"),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_an_address_or_a_network(host, expected):
    """An IPv6 client chooses the last 64 bits of its address as it likes."""
    assert expected == network_of(host)


def test_a_request_without_an_address_is_a_client_too():
    """As over a socket file: they share one allowance."""
    assert "" == client_of(SimpleNamespace(client=None))


def test_a_wait_that_is_over_frees_its_place():
    """However it ended."""

    async def never():
        return False

    async def run():
        waits = Waits(2, 1)
        for _ in range(3):
            assert not await waits.until(never, 0.01, "a")
        waiting = asyncio.create_task(waits.until(never, 30, "a"))
        await asyncio.sleep(0.01)
        with pytest.raises(HttpProblem):
            await waits.until(never, 30, "a")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not await waits.until(never, 0.01, "a")

    asyncio.run(run())
