"""Where the API listens: sockets for an address or a name, and the URL to find them at."""

from __future__ import annotations

import errno
import re
import socket
from contextlib import suppress
from ipaddress import IPv6Address, ip_address

from permit_ledger.cli.failures import CannotStart

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where to open what listens everywhere
_TAKEN = errno.EADDRINUSE
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class PortTaken(CannotStart):
    """Another program listens there; it may be about to go."""


def bare_host(host: str) -> str:
    """An address or a name; ``[::1]`` without its brackets.

    Raises:
        ValueError: it is neither.
    """
    host = host.strip()
    if host.startswith("[") and host.endswith("]"):
        return str(IPv6Address(host[1:-1]))
    with suppress(ValueError):
        return str(ip_address(host))
    if not _NAME.fullmatch(host):
        raise ValueError("neither an address nor a host name")
    return host


def local_url(host: str, port: int) -> str:
    """What to open on this machine, for a :func:`bare_host` (RFC 3986 §3.2.2, RFC 6874)."""
    host = _ANY.get(host, host)
    shown = f"[{host.replace('%', '%25')}]" if ":" in host else host.lower()
    return f"http://{shown}:{port}"


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets bound to every address that ``host`` stands for, not listening yet; the caller
    closes them.

    Raises:
        PortTaken
        CannotStart: the host is unknown or another machine's, or this user may not take the port.
    """
    sockets: list[socket.socket] = []
    unavailable: OSError | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                sockets.append(bound := socket.socket(family, kind, protocol))
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
                bound.bind(address)
            except OSError as error:
                if error.errno not in _NO_SUCH_ADDRESS:
                    raise
                unavailable = error  # a name may stand for several, not all of them ours
                if sockets:
                    sockets.pop().close()
        if not sockets and unavailable:
            raise unavailable
    except OSError as error:
        for each in sockets:
            each.close()
        raise _explained(error, host, port) from None
    return sockets


def _explained(error: OSError, host: str, port: int) -> CannotStart:
    if error.errno == _TAKEN:
        return PortTaken(f"port {port} is taken: choose another with --port")
    if isinstance(error, socket.gaierror):
        return CannotStart(f"the host {host} is not known: set PERMIT_LEDGER_HOST to an address")
    if error.errno in _NO_SUCH_ADDRESS:
        return CannotStart(
            f"this machine has no address {host}: set PERMIT_LEDGER_HOST to one that it has"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return CannotStart(f"this user may not take port {port}: choose another with --port")
    return CannotStart(f"the service can't listen on {host}, port {port}: {error.strerror}")
