"""The origin under which callers know the service."""

from __future__ import annotations

from starlette.datastructures import URL
from starlette.types import Scope


def origin_of(scope: Scope, public_url: str | None) -> str:
    """Return scheme, host and port. The request's own are used in development mode only, where no
    ``public_url`` is set: elsewhere an intermediary could make a phone sign for the wrong host."""
    if public_url:
        return public_url
    url = URL(scope=scope)
    return f"{url.scheme}://{url.netloc}"
