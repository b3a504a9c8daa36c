"""Audit reads: each is recorded before it is answered, whatever the outcome."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Header, Request
from starlette.responses import Response

from api.http import problems
from api.http.instants import with_plus
from api.http.json_bodies import Answer, JsonRoute, SurroundedRoute
from api.http.roles import Scope
from api.http.security import authenticated, documented, require_scope
from api.http.services import Services, services
from api.http.tokens import Principal
from api.http.writing import Written
from domain import citizen_id, permit_number
from domain.id_cards import receipt_number
from domain.instants import is_instant
from domain.text import unseen
from ledger.checks.audit_reads import AuditRead
from ledger.errors import Unavailable

from .disclosing import are_fields

CASE_HEADER = "Audit-Case"
CASE_LENGTH_MAX = 64
NOT_KEPT = "[not kept]"
_NUMBER = re.compile(r"[0-9]{1,12}")
_TILE = re.compile(r"[x0-9/.p]{1,60}")
_HOLDER = re.compile(r"[0-9a-f]{32}")
_OUTCOMES = (
    dict.fromkeys((200, 201, 202), "answered")
    | {404: "unknown", 422: "invalid"}
    | dict.fromkeys((403, 409, 412), "refused")
    | dict.fromkeys((429, 503), "unavailable")
)

SUBJECTS: dict[str, Callable[[str], str | None]] = {
    "permit_number": permit_number.parse,
    "receipt_number": receipt_number.parse,
}
"""Path parameters that name a stream, and their parsers: a citizen number in the wrong field is not
recorded."""


@dataclass(frozen=True, slots=True)
class Investigation:
    """An investigator's request, and the case that it is recorded with.

    Only a case that the token names (``is_granted``) is a right to what belongs to that case. One
    that the caller states in the header is a record of what was said.
    """

    caller: Principal
    case: str
    is_granted: bool


async def investigator(
    request: Request,
    service: Annotated[Services, Depends(services)],
    _: Annotated[None, Depends(documented)],
    _case: Annotated[
        str | None,
        Header(
            alias=CASE_HEADER,
            description="the case, where the token names none: 1 to 64 printable characters, UTF-8",
        ),
    ] = None,
) -> Investigation:
    """Dependency: the investigator, with a case; else 401, 403 or 422.

    The case is the token's, or that of the header ``Audit-Case``.
    """
    caller = await authenticated(request.scope, service)
    request.state.caller = caller.subject
    require_scope(caller, Scope.AUDIT_READ)
    return _in_case(request, caller)


async def investigator_or_operator(
    request: Request,
    service: Annotated[Services, Depends(services)],
    _: Annotated[None, Depends(documented)],
) -> None:
    """Dependency: an operator, or an investigator with a case, who may be an operator as well; else
    401, 403 or 422."""
    caller = await authenticated(request.scope, service)
    request.state.caller = caller.subject
    require_scope(caller, Scope.AUDIT_READ, Scope.OPERATE)
    if Scope.AUDIT_READ in caller.scopes:
        _in_case(request, caller)


def _in_case(request: Request, caller: Principal) -> Investigation:
    """Find the case, and state it for the record.

    Raises:
        HttpProblem: 403 or 422.
    """
    named = _named_case(request)
    case = caller.case if caller.case is not None else named
    if case is None:
        raise problems.HttpProblem(
            403, "FORBIDDEN", f"The token names no case, and neither does the header {CASE_HEADER}."
        )
    if citizen_id.is_in(case):
        detail = "The case contains what reads as a citizen ID number."
        raise problems.HttpProblem(403, "FORBIDDEN", detail)
    if named not in (None, case):
        detail = f"The header {CASE_HEADER} names another case than the token."
        raise problems.HttpProblem(422, "INVALID_REQUEST", detail)
    request.state.case = case
    return Investigation(caller, case, is_granted=caller.case is not None)


async def with_place(
    investigation: Annotated[Investigation, Depends(investigator)],
    service: Annotated[Services, Depends(services)],
) -> AsyncIterator[None]:
    """Dependency of reads of a whole history: holds one of their places until it is answered.

    Raises:
        HttpProblem: 429; this account has taken as many as it may.
        Unavailable: all are taken.
    """
    with service.whole_histories.place(investigation.caller.subject):
        yield


def _named_case(request: Request) -> str | None:
    """Read the header, UTF-8 without spaces around.

    Raises:
        HttpProblem: 422; it is no short printable text, or comes more than once.
    """
    given = [value for name, value in request.scope["headers"] if name == b"audit-case"]
    if not given:
        return None
    try:
        case = str(given[0], "utf-8").strip()
    except UnicodeDecodeError:
        case = ""
    if len(given) > 1 or not 1 <= len(case) <= CASE_LENGTH_MAX or unseen(case) is not None:
        detail = f"The header {CASE_HEADER} must be 1 to {CASE_LENGTH_MAX} printable characters."
        raise problems.HttpProblem(422, "INVALID_REQUEST", detail)
    return case


Investigator = Annotated[Investigation, Depends(investigator)]
WHOLE_HISTORY: Final = (Depends(with_place),)


class AuditedRoute(SurroundedRoute):
    """Responds once the read is recorded, and with 503 if it can't be. Requests without a valid
    token are not recorded: the reader is unknown. Nor are those beyond the limit of refused ones,
    which get 429.

    For an :class:`~fastapi.APIRouter` whose endpoints all take an :data:`Investigator`.
    """

    def surround(self, answer: Answer) -> Answer:
        answer = super().surround(answer)

        async def record_and_answer(request: Request) -> Response:
            try:
                response = await answer(request)
            except Exception as error:  # noqa: BLE001  failed reads are recorded too
                response = problems.of(request, error)
            reader: Principal | None = getattr(request.state, "principal", None)
            if reader is None or not self._is_look(reader, response):
                return response
            service: Services = request.app.state.services
            if response.status_code != HTTPStatus.OK:
                try:
                    service.fruitless.spend(reader.subject)
                except problems.HttpProblem as error:
                    return problems.of(request, error)
            read = AuditRead(
                read_at=service.clock.now(),
                reader=reader.subject,
                case=_recorded_case(request, reader),
                what=self.name,
                subject=_disclosed(request),
                parameters=self._parameters(request),
                outcome=_OUTCOMES.get(response.status_code, "failed"),
                correlation_id=request.state.correlation_id,
            )
            try:
                await service.audit_reads.record(read)
            except Unavailable as error:
                return problems.of(request, error)
            return response

        return record_and_answer

    def _is_look(self, reader: Principal, response: Response) -> bool:  # noqa: ARG002
        """Return whether the response is a look into the audit."""
        return True

    def _parameters(self, request: Request) -> dict[str, str]:
        """Return the endpoint's parameters; values that are no instants, numbers or names of
        streams or fields are not kept."""
        own = {parameter.alias for parameter in self.dependant.query_params}
        return {
            name: value if _may_be_kept(value) else NOT_KEPT
            for name, value in request.query_params.items()
            if name in own
        }


class EntriesRoute(AuditedRoute):
    """The same for entries of the trees that name permits and receipts: a look of anyone but a mere
    operator, who copies the log as a whole."""

    def _is_look(self, reader: Principal, response: Response) -> bool:  # noqa: ARG002
        return Scope.AUDIT_READ in reader.scopes or Scope.OPERATE not in reader.scopes

    def _parameters(self, request: Request) -> dict[str, str]:
        tile = request.path_params["tile_path"]
        return {"tile": tile if _TILE.fullmatch(tile) else NOT_KEPT}


class OrderRoute(AuditedRoute, JsonRoute):
    """The same for the commands of data protection, where no event is the record: they were
    refused, or changed nothing and say all the same whose holder it is, and in which state."""

    def _is_look(self, reader: Principal, response: Response) -> bool:  # noqa: ARG002
        return not (isinstance(response, Written) and response.is_on_record)

    def _parameters(self, request: Request) -> dict[str, str]:
        holder_id = request.path_params["holder_id"]
        return {"holder_id": holder_id if _HOLDER.fullmatch(holder_id) else NOT_KEPT}


def stream(name: str) -> str | None:
    """Parse the name of a stream of any type as typed."""
    return next((found for parse in SUBJECTS.values() if (found := parse(name))), None)


def _may_be_kept(value: str) -> bool:
    return (
        stream(value) is not None
        or bool(_NUMBER.fullmatch(value))
        or is_instant(with_plus(value))
        or are_fields(value.split(","))
    )


def _recorded_case(request: Request, reader: Principal) -> str | None:
    """Return the case of the request, else that of the token; none that may identify a person."""
    case: str | None = getattr(request.state, "case", reader.case)
    return NOT_KEPT if case is not None and citizen_id.is_in(case) else case


def is_about(request: Request, stream: str | None) -> None:
    """State what a list is about, where no stream is in the path: the one that it was filtered by,
    as it was parsed; ``None`` for all."""
    request.state.is_about = stream


def _disclosed(request: Request) -> str | None:
    """Return the stream that was read: the one in the path, else the one that the endpoint stated.
    Nothing else of the request has a say in what is recorded."""
    for name, parse in SUBJECTS.items():
        if name in request.path_params:
            return parse(request.path_params[name])
    stated: str | None = getattr(request.state, "is_about", None)
    return stated
