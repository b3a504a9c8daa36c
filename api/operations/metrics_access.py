"""Who may read the metrics, which count checks, erasures and downloads of evidence."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.requests import Request

from api.http.addresses import is_loopback
from api.http.problems import HttpProblem

_FORWARDED = ("forwarded", "x-forwarded-for", "via")
"""What a request that came by a proxy says; its own sender may be anywhere."""


@dataclass(frozen=True, slots=True)
class MetricsAccess:
    """Who may read the metrics: callers with the token; without one, programs on this machine that
    ask the service itself."""

    token: str | None = None

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
        elif (
            request.client is None
            or not is_loopback(request.client.host)
            or any(name in request.headers for name in _FORWARDED)
        ):
            raise HttpProblem(
                403,
                "FORBIDDEN",
                "The metrics are for this machine only: an operator can set a token for others.",
            )
