"""Where callers find the service, as they write it."""

from __future__ import annotations

from fastapi import Request

from .services import Services


def origin_of(request: Request, service: Services) -> str:
    """Scheme, host and port. What a request says of itself counts in development mode alone:
    elsewhere somebody who passes requests on could make a phone prove itself to the wrong host."""
    if service.public_url:
        return service.public_url
    return f"{request.url.scheme}://{request.url.netloc}"
