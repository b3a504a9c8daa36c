"""What a provider's claims mean here: role, station, scenarios, name, citizen number.

Each claim is named by a path in the token, with dots between the names of nested objects, as
``realm_access.roles``. A member whose own name has dots comes first: the path is tried as one name
before it is taken apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.http.roles import ROLE_SCOPES, Role
from api.http.tokens import BadToken, Principal, authentication_of, bound_to, text_claim
from domain import citizen_id
from domain.text import unseen

NAME_LENGTH_MAX = 100
ROLES_MAX = 500
"""Of one account at its provider; most of them mean nothing here."""
_STAFF: Final = tuple(role for role in Role if role is not Role.HOLDER)


class NoRole(BadToken):
    """The account is known to the provider and has no role here that it can use. The message says
    what its administrator has to set, ``code`` is for the page's words."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the provider as its claims describe it.

    A holder's ``principal`` has no subject before the holder is found by ``citizen_id_number``,
    which is never kept. ``name`` is for display only.
    """

    principal: Principal
    role: Role
    name: str | None = None
    citizen_id_number: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimsMapping:
    """Paths of the claims, and the role here of each of the provider's roles.

    ``in_access_token``: whether a sign-in reads them in the access token, a JWT for this service's
    audience, or else in the ID token.
    """

    roles: Mapping[str, Role]
    roles_claim: str
    station_claim: str = "station"
    scenarios_claim: str = "scenarios"
    case_claim: str = "case"
    name_claim: str = "name"
    citizen_id_number_claim: str | None = None
    in_access_token: bool = True

    def account(self, claims: Mapping[str, Any]) -> Account:
        """
        Raises:
            NoRole: no role, several that exclude each other, or one without what it needs.
            BadToken: a claim is malformed.
        """
        role = self._role(claims)
        principal = Principal(
            subject=text_claim(claims, "sub") or "",
            scopes=frozenset(ROLE_SCOPES[role]),
            station=self._text(claims, self.station_claim),
            scenarios=frozenset(self._texts(claims, self.scenarios_claim)),
            case=self._text(claims, self.case_claim),
            bound_to=bound_to(claims),
            expires_at=float(claims["exp"]),
            authentication=authentication_of(claims),
        )
        name = _found(claims, self.name_claim)
        if not isinstance(name, str) or len(name) > NAME_LENGTH_MAX or unseen(name) is not None:
            name = None
        number = self._citizen_id_number(claims) if role is Role.HOLDER else None
        if role is Role.REGISTRAR and principal.station is None:
            raise NoRole(
                "no_station",
                "the account has the role of a registrar and no station: set the claim"
                f" '{self.station_claim}' for it at the identity provider",
            )
        return Account(principal, role, name, number)

    def _role(self, claims: Mapping[str, Any]) -> Role:
        named = self._texts(claims, self.roles_claim)
        roles = {self.roles[name] for name in named if name in self.roles}
        staff = [role for role in _STAFF if role in roles]
        if len(staff) > 1:
            raise NoRole(
                "several_roles",
                f"the account has the roles {' and '.join(staff)}, which exclude each other:"
                " leave it one of them at the identity provider",
            )
        if staff:
            return staff[0]
        if Role.HOLDER in roles:
            return Role.HOLDER
        raise NoRole(
            "no_role",
            "the account has no role here: give it one of"
            f" {', '.join(sorted(self.roles))} at the identity provider"
            f" (claim '{self.roles_claim}')",
        )

    def _citizen_id_number(self, claims: Mapping[str, Any]) -> str:
        path = self.citizen_id_number_claim
        number = _found(claims, path) if path else None
        try:
            return citizen_id.parse(number if isinstance(number, str) else "").number
        except ValueError:
            raise NoRole(
                "no_number",
                "the account is a holder's and has no citizen ID number that can be read: set"
                f" the claim '{path or 'PERMIT_LEDGER_OIDC_CLAIMS: citizen_id_number_claim'}'",
            ) from None

    def _text(self, claims: Mapping[str, Any], path: str) -> str | None:
        """Read a text, or the only one of a list, as some providers send attributes."""
        value = _found(claims, path)
        if isinstance(value, list) and len(value) <= 1:
            value = value[0] if value else None
        return text_claim({path: value}, path)

    def _texts(self, claims: Mapping[str, Any], path: str) -> list[str]:
        """Read the names in a list, or those in one text, with spaces between them."""
        value = _found(claims, path)
        if isinstance(value, str):
            value = [name for name in value.split(" ") if name]
        values: list[Any] = [] if value is None else value if isinstance(value, list) else [None]
        if len(values) > ROLES_MAX or not all(map(_is_shown, values)):
            raise BadToken(f"the claim '{path}' must be a list of at most {ROLES_MAX} texts")
        return values


def _is_shown(value: object) -> bool:
    return isinstance(value, str) and unseen(value) is None


def _found(claims: Mapping[str, Any], path: str) -> Any:
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
