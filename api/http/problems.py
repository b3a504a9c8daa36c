"""RFC 9457 problem documents for all errors; no traceback ever leaves the service.

======================  ======  =============================================================
what happened           status  code
======================  ======  =============================================================
bad input               422     ``INVALID_REQUEST``, ``INVALID_CITIZEN_ID``,
                                ``IDEMPOTENCY_KEY_REUSED``
no or a bad token       401     ``UNAUTHENTICATED``
no proof of the face    401     ``INSUFFICIENT_USER_AUTHENTICATION``
wrong scope             403     ``FORBIDDEN``
no such permit or path  404     ``UNKNOWN_PERMIT``, ``UNKNOWN_APPLICATION``,
                                ``UNKNOWN_HOLDER``, ``NOT_FOUND``
refused by a rule       409     the refusal's own, see :mod:`domain.errors`
lost a race             412     ``CONFLICT`` (409 where no version was named)
too often               429     ``RATE_LIMITED``, with ``Retry-After``
unavailable             503     ``UNAVAILABLE``, with ``Retry-After``
======================  ======  =============================================================

Input is never repeated in a response: it may be personal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.errors import (
    DomainError,
    Incomplete,
    InvalidDetails,
    Refused,
    TooEarlyToEndorse,
    TooManyToday,
)
from domain.id_cards.errors import WrongStage
from ledger.errors import (
    Contended,
    Corrupt,
    KeyReused,
    LedgerError,
    RegisterDiffers,
    StaleVersion,
    Unavailable,
    UnknownAggregate,
    UnknownApplication,
    UnknownCheck,
    UnknownHolder,
    UnknownPermit,
    UnprovenCheck,
)

from . import correlation
from .metrics import CORRUPT, route_of
from .reasons import field_error

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
PROBLEMS_MAX = 20

_log = structlog.get_logger(__name__)

_LEDGER_PROBLEMS: Mapping[type[LedgerError], tuple[int, str]] = {
    UnknownPermit: (404, "UNKNOWN_PERMIT"),
    UnknownApplication: (404, "UNKNOWN_APPLICATION"),
    UnknownAggregate: (404, "NOT_FOUND"),
    UnknownHolder: (404, "UNKNOWN_HOLDER"),
    UnknownCheck: (404, "NOT_FOUND"),
    UnprovenCheck: (404, "NOT_FOUND"),
    StaleVersion: (412, "CONFLICT"),
    Contended: (409, "CONFLICT"),
    KeyReused: (422, "IDEMPOTENCY_KEY_REUSED"),
    Unavailable: (503, "UNAVAILABLE"),
}
_HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
_HTTP_DETAILS = {
    404: "There is no resource at this address.",
    405: "The method is not allowed here; see the header Allow.",
    422: "The request is malformed.",
}


class FieldError(BaseModel):
    """One invalid field."""

    field: str
    reason: str
    code: str


class Problem(BaseModel):
    """RFC 9457, with ``code`` for programs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:permit-ledger:problem:not-eligible",
                    "title": "Conflict",
                    "status": 409,
                    "code": "NOT_ELIGIBLE",
                    "detail": "The conditions for a residence permit are not met."
                    " Missing: residence_registered_six_months, ground.",
                    "missing": ["residence_registered_six_months", "ground"],
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    code: str
    detail: str
    missing: list[str] | None = Field(None, description="everything that is missing, at once")
    errors: list[FieldError] | None = Field(None, description="every field at fault")
    opens: str | None = Field(None, description="when the endorsement window opens (TOO_EARLY)")
    stage: str | None = Field(None, description="where the application is (WRONG_STAGE)")
    log_position: int | None = Field(
        None, description="of a service that is not ready: the log's end"
    )
    views_position: int | None = Field(None, description="… and how far the views are")
    lag_events: int | None = Field(None, description="… and how many events they are behind")


class HttpProblem(Exception):
    """A problem of HTTP itself: of a token, a header, a scope."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.code, self.detail = status, code, detail
        self.headers = headers
        super().__init__(detail)


def document(status: int, code: str, detail: str, **more: Any) -> bytes:
    """Serialize a problem document."""
    return orjson.dumps(
        {
            "type": f"urn:permit-ledger:problem:{code.lower().replace('_', '-')}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": code,
            "detail": detail,
            **more,
        }
    )


def refusal_document(refusal: Refused) -> bytes:
    """Serialize a refusal (409), with everything that is missing."""
    more: dict[str, Any] = {}
    if isinstance(refusal, Incomplete):
        more["missing"] = refusal.missing
    if isinstance(refusal, TooEarlyToEndorse):
        more["opens"] = refusal.opens
    if isinstance(refusal, WrongStage):
        more["stage"] = refusal.stage
    return document(409, refusal.code, refusal.detail, **more)


def response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, MEDIA_TYPE)


def invalid_field(error: Exception, *place: str) -> RequestValidationError:
    """Make the problem (422) of one field of the body; the error's message is for the caller."""
    reason = ValueError(str(error))
    line = {"type": "value_error", "loc": ("body", *place), "msg": "", "ctx": {"error": reason}}
    return RequestValidationError([line])


def invalid_parameter(name: str, reason: str) -> RequestValidationError:
    """Make the problem (422) of one query parameter."""
    error = ValueError(reason)
    line = {"type": "value_error", "loc": ("query", name), "msg": "", "ctx": {"error": error}}
    return RequestValidationError([line])


def install(app: FastAPI) -> None:
    """Turn every exception into a problem document."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, unexpected)


def of(request: Request, error: Exception) -> Response:
    """Return the problem document of an exception."""
    for kind, handler in _HANDLERS.items():
        if isinstance(error, kind):
            return handler(request, error)
    return unexpected(request, error)


def _domain_error(_: Request, error: Any) -> Response:
    if isinstance(error, Refused):
        return response(409, refusal_document(error))
    if isinstance(error, TooManyToday):
        headers = {"Retry-After": str(error.wait_s)}
        return response(429, document(429, error.code, error.detail), headers)
    problems: Sequence[Any] = error.problems if isinstance(error, InvalidDetails) else ()
    more = {"errors": [asdict(problem) for problem in problems]} if problems else {}
    return response(422, document(422, error.code, error.detail, **more))


def _ledger_error(request: Request, error: Any) -> Response:
    if isinstance(error, Corrupt):
        _log.error(
            "corrupt",
            reason=error.detail,
            route=route_of(request.scope),
            correlation_id=_correlation_id(request),
        )
        CORRUPT.labels(type(error).__name__).inc()
        if isinstance(error, RegisterDiffers):
            return unavailable(f"{error.detail} An operator has to intervene.")
        return unavailable("The ledger has data that can't be read; an operator has to intervene.")
    status, code = next(v for k, v in _LEDGER_PROBLEMS.items() if isinstance(error, k))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return unavailable(error.detail)
    return response(status, document(status, code, error.detail))


def _http_problem(_: Request, error: Any) -> Response:
    return response(error.status, document(error.status, error.code, error.detail), error.headers)


def _validation_error(_: Request, error: Any) -> Response:
    errors = [field_error(line) for line in error.errors()[:PROBLEMS_MAX]]
    detail = "; ".join(f"{line['field']}: {line['reason']}" for line in errors)
    return response(422, document(422, "INVALID_REQUEST", detail, errors=errors))


def _http_exception(_: Request, error: Any) -> Response:
    status = 422 if error.status_code == HTTPStatus.BAD_REQUEST else error.status_code
    code = _HTTP_CODES.get(status, "INVALID_REQUEST")
    detail = _HTTP_DETAILS.get(status) or HTTPStatus(status).phrase
    return response(status, document(status, code, detail), error.headers)


_HANDLERS: Mapping[type[Exception], Callable[[Request, Any], Response]] = {
    DomainError: _domain_error,
    LedgerError: _ledger_error,
    HttpProblem: _http_problem,
    RequestValidationError: _validation_error,
    HTTPException: _http_exception,
}


def unexpected(request: Request, error: Exception) -> Response:
    """Return the 500 of an exception without a handler."""
    correlation_id = _correlation_id(request)
    _log.error(
        "unexpected",
        error=type(error).__name__,
        route=route_of(request.scope),
        correlation_id=correlation_id,
        exc_info=error,
    )
    # Outside the frame that sets it on every other response; here it is needed most.
    headers = {correlation.HEADER: correlation_id} if correlation_id else {}
    return response(500, document(500, "INTERNAL", "Internal error."), headers)


def _correlation_id(request: Request) -> str | None:
    found: str | None = getattr(request.state, "correlation_id", None)
    return found


def unavailable(detail: str, **more: int) -> Response:
    body = document(503, "UNAVAILABLE", detail, **more)
    return response(503, body, {"Retry-After": str(RETRY_AFTER_S)})
