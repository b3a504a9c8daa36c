"""Sockets for the address or the name that the API listens on."""

from __future__ import annotations

import errno
import socket

from api.http.addresses import is_loopback
from permit_ledger.console.failures import CannotStart

_TAKEN = errno.EADDRINUSE
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class PortTaken(CannotStart):
    """Another program listens there; it may be about to end."""


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets bound to every address of ``host``, not listening yet; the caller
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
                unavailable = error  # a name may have several, not all of this machine
                if sockets:
                    sockets.pop().close()
        if not sockets and unavailable:
            raise unavailable
    except OSError as error:
        for each in sockets:
            each.close()
        raise _explained(error, host, port) from None
    return sockets


def require_loopback(host: str) -> None:
    """In development mode, which gives a token to anybody: only this machine may reach the service.

    Raises:
        CannotStart: the host is, or has, an address that others reach.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _explained(error, host, 0) from None
    if not all(is_loopback(str(address[0])) for *_, address in found):
        raise CannotStart(
            f"development mode gives a token to anybody, so it listens on this machine only and not"
            f" on {host}: set PERMIT_LEDGER_HOST to 127.0.0.1, or name a real issuer with"
            " PERMIT_LEDGER_ISSUER and PERMIT_LEDGER_JWKS"
        )


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
