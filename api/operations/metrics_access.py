"""Who may read the metrics, which count checks, erasures and downloads of evidence."""

from __future__ import annotations

import hmac
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.requests import Request

from api.http.addresses import KnownHosts
from api.http.problems import HttpProblem

_OF_PROXIES = ("forwarded", "via", "x-", "cf-", "true-client-", "fastly-", "client-ip", "cdn-loop")
"""How the headers begin that proxies add, as Forwarded, Via, X-Forwarded-For, X-Real-IP,
CF-Connecting-IP, True-Client-IP. Their own sender may be anywhere; programs that read metrics send
none of them."""
_OWN = frozenset({"x-correlation-id", "x-prometheus-scrape-timeout-seconds"})
_BY_LOOPBACK = KnownHosts(frozenset())
_DIRECT = frozenset(map(ip_address, ("127.0.0.1", "::1", "::ffff:127.0.0.1")))
"""The addresses that a program of this machine asks from, unless it sets another one, as the door
of the container files does."""


@dataclass(frozen=True, slots=True)
class MetricsAccess:
    """Who may read the metrics: callers with the token; without one, programs on this machine that
    ask the service itself, unless ``is_proxied``: a proxy on this machine may be asked by anyone,
    and need not say so."""

    token: str | None = None
    is_proxied: bool = False

    def require(self, request: Request) -> None:
        """
        Raises:
            HttpProblem: 401 or 403.
        """
        if self.token is not None:
            kind, _, given = request.headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(
                given.strip().encode(), self.token.encode()
            ):
                raise HttpProblem(
                    401,
                    "UNAUTHENTICATED",
                    "The metrics need the token that the operator has set for them.",
                    {"WWW-Authenticate": 'Bearer realm="metrics"'},
                )
        elif not self._is_own(request):
            raise HttpProblem(
                403,
                "FORBIDDEN",
                "The metrics are for this machine only: an operator can set a token for others.",
            )

    def _is_own(self, request: Request) -> bool:
        """Whether this machine asks for certain, and for no one else."""
        if self.is_proxied or request.client is None:
            return False
        with suppress(ValueError):
            return (
                ip_address(request.client.host) in _DIRECT
                and not any(
                    name.startswith(_OF_PROXIES) and name not in _OWN for name in request.headers
                )
                # Some add nothing, but pass on the name that was asked, or speak HTTP/1.0 as nginx.
                and _BY_LOOPBACK.admit(request.url.path, request.headers.getlist("host"))
                and request.scope["http_version"] != "1.0"
            )
        return False
