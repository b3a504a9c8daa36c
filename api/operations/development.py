"""Development mode: a token issuer and a clock that can be set. Never beside a real issuer."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, model_validator

from api.http.documents import problems
from api.http.fields import RequestBody
from api.http.instants import Instant
from api.http.json_bodies import JsonRoute
from api.http.roles import ROLE_SCOPES, Role
from api.http.services import Services, services
from ledger.database.clock import DevelopmentClock

PEOPLE_MAX = 6
TOKEN_TTL_S = 8 * 60 * 60
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DevelopmentIssuer:
    """Signs tokens for anyone who asks."""

    key: ECKey
    issuer: str
    audience: str
    station: str
    scenarios: tuple[str, ...]

    def token(
        self,
        role: Role,
        *,
        station: str | None = None,
        holder_id: str | None = None,
        scenarios: list[str] | None = None,
        case: str | None = None,
    ) -> str:
        """Sign a bearer token for a role. By default a registrar's has a station, and a verifier's
        has all scenarios."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": holder_id if role is Role.HOLDER else f"{role}@development",
            "scope": " ".join(ROLE_SCOPES[role]),
            "iat": now,
            "exp": now + TOKEN_TTL_S,
            "jti": secrets.token_urlsafe(12),
        }
        if role is Role.REGISTRAR:
            claims["station"] = station or self.station
        if role is Role.VERIFIER:
            claims["scenarios"] = list(self.scenarios) if scenarios is None else scenarios
        if case:
            claims["case"] = case
        header = {"alg": "ES256", "typ": "JWT", "kid": self.key.kid}
        return jwt.encode(header, claims, self.key)


Claim = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.@:/#+-]+$")]


class TokenRequest(RequestBody):
    """The role and claims of a token."""

    role: Role
    station: Claim | None = None
    holder_id: Claim | None = None
    scenarios: Annotated[list[Claim], Field(max_length=50)] | None = None
    case: Claim | None = None

    @model_validator(mode="after")
    def _holder_has_an_id(self) -> TokenRequest:
        if self.role is Role.HOLDER and self.holder_id is None:
            raise ValueError("a holder's token needs a holder_id")
        return self


class Token(BaseModel):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105  the type's name
    expires_in: int = TOKEN_TTL_S


def _of_this_century(instant: datetime) -> datetime:
    if not FIRST <= instant < LAST:
        raise ValueError(f"an instant from {FIRST.year} to {LAST.year - 1} is expected")
    return instant


class ClockSetting(RequestBody):
    """An instant of this century, with its offset."""

    now: Annotated[
        Instant,
        AfterValidator(_of_this_century),
        Field(examples=["2026-12-20T09:00:00+08:00"]),
    ]


class ClockAnswer(BaseModel):
    """The service's time."""

    now: AwareDatetime


class PersonAnswer(BaseModel):
    """A made-up person, to try the pages with."""

    permit_number: str
    holder_id: str
    name: str
    citizen_id_number: str


class PeopleAnswer(BaseModel):
    people: list[PersonAnswer]


def router(issuer: DevelopmentIssuer, clock: DevelopmentClock) -> APIRouter:
    """Make the endpoints that exist in development mode only."""
    routes = APIRouter(prefix="/v1/dev", tags=["development"], route_class=JsonRoute)

    @routes.post("/tokens", responses=problems(413, 422))
    def make_token(body: TokenRequest) -> Token:
        """Make a bearer token for a role (development mode only)."""
        return Token(
            access_token=issuer.token(
                body.role,
                station=body.station,
                holder_id=body.holder_id,
                scenarios=body.scenarios,
                case=body.case,
            )
        )

    @routes.put("/clock", responses=problems(413, 422, 503))
    def set_clock(body: ClockSetting) -> ClockAnswer:
        """Set the service's clock; it runs on from there (development mode only)."""
        clock.set(body.now.astimezone(UTC))
        return ClockAnswer(now=clock.now())

    @routes.get("/clock")
    def get_clock() -> ClockAnswer:
        """The service's time."""
        return ClockAnswer(now=clock.now())

    @routes.get("/people", responses=problems(503))
    async def some_people(service: Annotated[Services, Depends(services)]) -> PeopleAnswer:
        """List a few permit holders (development mode only)."""
        people = []
        for number in await service.reader.some_numbers(PEOPLE_MAX):
            seen = await service.reader.electronic(number)
            person = await service.reader.person(seen, "electronic")
            if seen.facts and person:
                people.append(
                    PersonAnswer(
                        permit_number=number,
                        holder_id=seen.facts.holder_id,
                        name=person.face.name,
                        citizen_id_number=person.face.citizen_id_number,
                    )
                )
        return PeopleAnswer(people=people)

    return routes
