"""How many requests may wait for something, or hold it, at a time: in all, and of one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from fastapi import Request

from ledger.errors import Unavailable

from .problems import HttpProblem

RETRY_AFTER_S = 5
_NETWORK_BITS = 64
"""Of an IPv6 address, those that its client can't choose (RFC 6177)."""


class Admission:
    """Admits so many at a time and refuses the rest: no one queues for a place.

    Belongs to one process and one event loop."""

    def __init__(self, places_max: int, refusal: str, *, a_client_max: int | None = None) -> None:
        """``refusal`` is the message to callers for whom there is no place."""
        self._places_max = places_max
        self._a_client_max = places_max if a_client_max is None else a_client_max
        self._refusal = refusal
        self._taken = 0
        self._of: Counter[str] = Counter()

    @contextmanager
    def place(self, client: str = "") -> Iterator[None]:
        """Hold a place, for a token's subject or a :func:`client_of`.

        Raises:
            HttpProblem: 429 with ``Retry-After``; the client has as many as it may.
            Unavailable: all are taken.
        """
        if self._of[client] >= self._a_client_max:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise HttpProblem(429, "RATE_LIMITED", self._refusal, headers)
        if self._taken >= self._places_max:
            raise Unavailable(self._refusal)
        self._taken += 1
        self._of[client] += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._of[client] -= 1
            if not self._of[client]:
                del self._of[client]


def client_of(request: Request) -> str:
    """Name the client of a request without a token, for limits: its address, or the network of its
    IPv6 address, within which it can take any."""
    return network_of(request.client.host if request.client else "")


def network_of(host: str) -> str:
    """The part of an address that a client can't choose by itself."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{int(address) >> (128 - _NETWORK_BITS):016x}::/{_NETWORK_BITS}"
