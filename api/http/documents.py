"""OpenAPI descriptions of responses: problems, reads, writes and streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from .problems import MEDIA_TYPE

_DESCRIPTIONS = {
    400: "the logout token is not valid",
    401: "no token, or an invalid one",
    403: "the token lacks the scope",
    404: "there is no such permit, or it is another holder's",
    409: "refused by a rule, or contended; `code` says which",
    412: "the permit has changed since the version in If-Match",
    413: "the body is too large",
    422: "the request is malformed, or its facts can't be true",
    429: "too many requests: try again after `Retry-After` seconds",
    503: "temporarily unavailable: try again after `Retry-After` seconds",
}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_INTEGER, _TEXT = {"schema": {"type": "integer"}}, {"schema": {"type": "string"}}
_PROBLEM_HEADERS = {
    401: {"WWW-Authenticate": _TEXT},
    403: {"WWW-Authenticate": _TEXT},
    429: {"Retry-After": {"description": "seconds", **_INTEGER}},
    503: {"Retry-After": {"description": "seconds", **_INTEGER}},
}

_AS_OF = {
    "Ledger-Position": {"description": "what the answer is as of", **_INTEGER},
    "Ledger-Head": {"description": "how far the log was in the same instant", **_INTEGER},
}

Responses = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Responses:
    """Document these problem statuses."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "headers": _PROBLEM_HEADERS.get(status, {}),
            "content": _PROBLEM,
        }
        for status in statuses
    }


def read(model: type[BaseModel], *more: int) -> Responses:
    """Document a read: the view at a position, or a problem."""
    return {200: {"model": model, "headers": _AS_OF}} | problems(401, 403, 404, 422, 503, *more)


def versioned(model: type[BaseModel], *more: int) -> Responses:
    """Document a read of one permit or application: its version is its entity tag."""
    headers = _AS_OF | {
        "ETag": {
            "description": "the version; with a suffix where the same version reads differently"
            " since the permit's year has ended",
            **_TEXT,
        }
    }
    return read(model, *more) | {
        200: {"model": model, "headers": headers},
        304: {"description": "still the same, as of `Ledger-Position`", "headers": headers},
    }


def written(model: type[BaseModel], status: int = 200) -> Responses:
    """Document a write: the permit as it is now, or a problem."""
    success = {
        "model": model,
        "description": "the permit as it is now",
        "headers": {
            "Ledger-Position": {"description": "of the last event", **_INTEGER},
            "ETag": {"description": "the permit's version", **_TEXT},
            "Idempotency-Replayed": {
                "description": "present when this is the stored response to an earlier request",
                "schema": {"type": "string", "enum": ["true"]},
            },
        },
    }
    return {status: success} | problems(401, 403, 404, 409, 412, 413, 422, 429, 503)


def streamed(*more: int) -> Responses:
    """Document a live stream: events without end, or a problem."""
    success = {
        "description": "server-sent events; ended by the service after ten minutes",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
    return {200: success} | problems(422, 503, *more)


F = TypeVar("F", bound=Callable[..., object])


def for_description(dependency: F) -> F:
    """Mark a dependency that is there for OpenAPI only: it returns nothing and refuses nothing, so
    that the direct path leaves it out."""
    dependency.is_for_description = True  # type: ignore[attr-defined]
    return dependency


def is_for_description(dependency: object) -> bool:
    return getattr(dependency, "is_for_description", False)
