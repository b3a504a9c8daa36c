"""Registrars: each works at a known station, and each of their reads is on record.

What a registrar does to a permit is an event of its own. What a registrar reads is recorded by
:class:`RecordedRoute`, before it is answered: also the answer of a command that changed nothing, or
that was refused, since it shows the permit too.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from api.http import problems
from api.http.json_bodies import Answer, JsonRoute
from api.http.problems import HttpProblem
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.streams import EventStream
from api.http.tokens import Principal
from api.http.writing import Written
from domain import permit_number
from domain.errors import DomainError, Refused, TooManyToday
from domain.id_cards import receipt_number
from domain.policy import Policy
from ledger.checks.log import new_check_id
from ledger.checks.registrar_reads import RegistrarRead
from ledger.errors import StaleVersion, Unavailable

STATION_SCOPES = frozenset({Scope.PERMITS_WRITE, Scope.APPLICATIONS_WRITE})
_DISCLOSING = frozenset({200, 201, 409})


class What(StrEnum):
    """The kind of a registrar's read."""

    PERMIT = "permit"
    PHYSICAL = "physical"
    ELECTRONIC = "electronic"
    LIVE = "live"
    """The permit, and its changes for as long as the stream is open."""
    SEARCH = "search"
    APPLICATION = "application"
    ATTEMPT = "attempt"
    """A command that changed nothing, or was refused, or was sent again."""


def at_station(*scopes: Scope, is_use: bool = True) -> Callable[..., Awaitable[Principal]]:
    """Make a dependency: the caller, who has at least one of ``scopes``; a registrar also has a
    station that the policy knows. Else 401 or 403. The request prolongs a session if it
    ``is_use``."""

    async def principal(
        service: Annotated[Services, Depends(services)],
        caller: Annotated[Principal, Depends(require(*scopes, is_use=is_use))],
    ) -> Principal:
        if STATION_SCOPES.intersection(scopes) & caller.scopes:
            require_station(caller, service.policy)
        return caller

    return principal


def require_station(caller: Principal, policy: Policy) -> None:
    """
    Raises:
        HttpProblem: 403.
    """
    if caller.station is None:
        raise HttpProblem(403, "FORBIDDEN", "The token names no station.")
    if policy.district_of(caller.station) is None:
        raise HttpProblem(403, "FORBIDDEN", "The token's station is not among those of the policy.")


def found(request: Request, numbers: list[str]) -> None:
    """State what a search has found; a read that names its subject in the path needs not."""
    request.state.found = tuple(numbers)


class RecordedRoute(JsonRoute):
    """Responds to a registrar once the read is recorded, and with 503 if it can't be.

    For a router whose endpoints have their kind of read in :data:`KINDS`, or are commands.
    """

    def surround(self, answer: Answer) -> Answer:
        answer = super().surround(answer)

        async def record_and_answer(request: Request) -> Response:
            refusal: Exception | None = None
            try:
                response = await answer(request)
            except (DomainError, StaleVersion) as error:
                refusal, response = error, problems.of(request, error)
            caller: Principal | None = getattr(request.state, "principal", None)
            is_shown = _tells(refusal) or _discloses(response)
            if caller is None or not is_registrar(caller) or not is_shown:
                return response
            if subjects := _subjects(request, refusal or response):
                try:
                    await self._record(request, caller, subjects)
                except (Unavailable, HttpProblem) as error:
                    if isinstance(response, EventStream):
                        response.close()
                    return problems.of(request, error)
            return response

        return record_and_answer

    async def _record(self, request: Request, caller: Principal, subjects: tuple[str, ...]) -> None:
        """
        Raises:
            Unavailable: it can't be recorded.
            HttpProblem: 429; the caller has tried too much that changed nothing.
        """
        service: Services = request.app.state.services
        if (what := KINDS.get(self.path, What.ATTEMPT)) is What.ATTEMPT:
            service.fruitless.spend(caller.subject)
        await service.registrar_reads.record(
            RegistrarRead(
                read_id=new_check_id(),
                subjects=subjects,
                read_at=service.clock.now(),
                reader=caller.subject,
                station=caller.station or "",
                what=what,
                correlation_id=request.state.correlation_id,
            )
        )


_PERMIT = "/v1/permits/{permit_number}"
KINDS: dict[str, What] = {
    _PERMIT: What.PERMIT,
    f"{_PERMIT}/physical": What.PHYSICAL,
    f"{_PERMIT}/electronic": What.ELECTRONIC,
    f"{_PERMIT}/log-entries": What.PERMIT,
    f"{_PERMIT}/live": What.LIVE,
    "/v1/permits/searches": What.SEARCH,
    "/v1/id-card-applications/{receipt_number}": What.APPLICATION,
}
"""The reads, by their paths."""


def is_registrar(caller: Principal) -> bool:
    """Return whether the caller reads as a registrar, and not as the holder."""
    return bool(STATION_SCOPES & caller.scopes)


def _discloses(response: Response) -> bool:
    """Return whether the response shows a permit or an application, and no event records that."""
    if isinstance(response, Written) and response.is_on_record:
        return False
    return response.status_code in _DISCLOSING


def _tells(refusal: Exception | None) -> bool:
    """Return whether a refusal tells something: of a version as well, but not of the caller's own
    many events."""
    return refusal is not None and not isinstance(refusal, TooManyToday)


def _subjects(request: Request, outcome: Exception | Response) -> tuple[str, ...]:
    """Return what was read: the stream in the path, what the search has found, and the records of
    another person that a refusal tells of."""
    path = request.path_params
    number = permit_number.parse(path["permit_number"]) if "permit_number" in path else None
    receipt = receipt_number.parse(path["receipt_number"]) if "receipt_number" in path else None
    about = outcome.about if isinstance(outcome, Refused | Written) else ()
    found: tuple[str, ...] = getattr(request.state, "found", ())
    return tuple(filter(None, dict.fromkeys([number, receipt, *about, *found])))
