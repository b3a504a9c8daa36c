"""What OpenAPI says of the answers that are no success."""

from __future__ import annotations

from typing import Any

from .problems import MEDIA_TYPE, Problem

_DESCRIPTIONS = {
    401: "no token, or one that is not valid",
    403: "the token lacks the scope",
    404: "there is no such permit, or it is another's",
    409: "refused by a rule, or contended; `code` says which",
    412: "the permit has changed since the version in If-Match",
    413: "the body is too large",
    422: "the request can't be understood, or its facts can't be true",
    503: "out of reach for the moment: try again after `Retry-After` seconds",
}
_SCHEMA = {"$ref": "#/components/schemas/Problem"}

Responses = dict[int | str, dict[str, Any]]

DOCUMENTED_PROBLEMS: dict[int, Responses] = {
    status: {
        status: {
            "description": description,
            "model": Problem,
            "content": {MEDIA_TYPE: {"schema": _SCHEMA}},
        }
    }
    for status, description in _DESCRIPTIONS.items()
}


def problems(*statuses: int) -> Responses:
    """The documentation of these problem statuses."""
    documented: Responses = {}
    for status in statuses:
        documented |= DOCUMENTED_PROBLEMS[status]
    return documented


READ = problems(401, 403, 404, 422, 503)
WRITE = problems(401, 403, 404, 409, 412, 413, 422, 503)
