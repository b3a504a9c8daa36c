"""Where callers find the service, as they write it."""

from __future__ import annotations

from starlette.datastructures import URL
from starlette.types import Scope


def origin_of(scope: Scope, public_url: str | None) -> str:
    """Scheme, host and port. What a request says of itself counts in development mode alone, where
    no ``public_url`` is set: elsewhere whoever passes requests on could make a phone prove itself
    to the wrong host."""
    if public_url:
        return public_url
    url = URL(scope=scope)
    return f"{url.scheme}://{url.netloc}"
