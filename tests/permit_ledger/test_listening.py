"""Addresses that the API listens on, and the URL under which it is found there."""

import socket
from contextlib import ExitStack, closing

import pytest
from pydantic import ValidationError

from api.http.addresses import bare_host, local_url
from ledger.database.connections import connect
from permit_ledger.console.failures import CannotStart
from permit_ledger.roles.listening import PortTaken, bind, require_loopback
from permit_ledger.settings import Settings
from tests import commands


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:8000"),
        ("0:0:0:0:0:0:0:1", "http://[::1]:8000"),
        ("::", "http://[::1]:8000"),
        ("[::]", "http://[::1]:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104
        ("localhost", "http://localhost:8000"),
        ("LOCALHOST", "http://localhost:8000"),
        ("permits.example", "http://permits.example:8000"),
        ("2001:DB8::1", "http://[2001:db8::1]:8000"),
        ("fe80::1%eth0", "http://[fe80::1%25eth0]:8000"),
    ],
)
def test_the_url_is_one_that_can_be_opened(host, url):
    """Brackets around IPv6 (RFC 3986 §3.2.2), and an address of this machine for all of them."""
    assert url == Settings(host=host).url == local_url(bare_host(host), 8000)


@pytest.mark.parametrize("host", ["", " ", "a b", "[::1", "[127.0.0.1]", "http://x", "-"])
def test_a_name_that_is_not_a_host_is_refused(host):
    with pytest.raises(ValidationError, match="PERMIT_LEDGER_HOST"):
        Settings(host=host)


def answers(address, port):
    """Whether something listens there."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as caller:
        return caller.connect_ex((address, port)) == 0


@pytest.fixture
def listen(free_port):
    """``listen(host)``: the port, with the host's sockets listening on it."""
    with ExitStack() as stack:

        def listen(host):
            for each in bind(host, free_port):
                stack.enter_context(closing(each))
                each.listen()
            return free_port

        yield listen


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("host", "there", "not_there"),
    [
        ("127.0.0.1", ["127.0.0.1"], ["::1"]),
        ("::1", ["::1"], ["127.0.0.1"]),
        ("0.0.0.0", ["127.0.0.1", "127.0.0.2"], ["::1"]),  # noqa: S104
        ("::", ["::1", "127.0.0.1"], []),
        ("localhost", ["127.0.0.1"], ["127.0.0.2"]),
    ],
)
def test_it_listens_on_the_configured_address(listen, host, there, not_there):
    port = listen(host)
    assert all(answers(address, port) for address in there)
    assert not any(answers(address, port) for address in not_there)


@pytest.mark.parametrize(("first", "second"), [("127.0.0.1", "127.0.0.1"), ("::1", "::")])
def test_a_port_that_is_taken(listen, first, second):
    port = listen(first)
    with pytest.raises(PortTaken, match=f"port {port} is taken: choose another with --port"):
        bind(second, port)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("nothing.invalid", "the host nothing.invalid is not known"),
        ("192.0.2.1", "this machine has no address 192.0.2.1"),
        ("2001:db8::1", "this machine has no address 2001:db8::1"),
    ],
)
def test_an_address_of_another_machine(free_port, host, said):
    with pytest.raises(CannotStart, match=said):
        bind(host, free_port)


# -- development mode --------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "::ffff:127.0.0.1"])
def test_development_mode_listens_on_this_machine(host):
    """Under any of its own names."""
    require_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "::ffff:10.1.2.3", "fe80::1"])  # noqa: S104
def test_development_mode_listens_nowhere_else(host):
    """It gives a token to anybody; the message says what to set."""
    with pytest.raises(CannotStart, match=r"gives a token to anybody.*PERMIT_LEDGER_HOST"):
        require_loopback(host)


@pytest.mark.parametrize("command", [["up", "--empty"], ["api"]])
def test_a_start_in_development_mode_on_all_addresses_is_refused(empty_database, tmp_path, command):
    """Before anything is done."""
    environment = {
        "PERMIT_LEDGER_DATABASE_URL": empty_database,
        "PERMIT_LEDGER_DEVELOPMENT": "true",
        "PERMIT_LEDGER_HOST": "0.0.0.0",  # noqa: S104
    }

    refused = commands.permit_ledger(tmp_path, environment, *command)

    assert 1 == refused.returncode
    assert "listens on this machine only and not on 0.0.0.0" in refused.stderr
    with connect(empty_database) as connection:
        assert (None,) == connection.execute("SELECT to_regnamespace('ledger')").fetchone()
