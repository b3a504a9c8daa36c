"""``/auth``: from a page to the provider and back, and out again."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.http import cookies
from api.http.admission import Admission, client_of
from api.http.documents import problems
from api.http.dpop import BadProof, Proof, SeenProofs
from api.http.problems import HttpProblem
from api.http.roles import Role
from api.http.tokens import BadToken, authentication_of, text_claim
from ledger.errors import Unavailable

from .accounts import Accounts
from .claims import NoRole
from .pending import COOKIE, LIFE_S, PendingSignIn, PendingSignIns
from .provider import Provider, ProviderUnavailable, SignInRefused
from .sessions import LIFETIME, ProviderAccount, Session, Sessions
from .step_up import StepUp

NEXT_DEFAULT = "/"
PARAMETER_LENGTH_MAX = 2048
PATH_LENGTH_MAX = 100
FIELDS_MAX = 10
AT_ONCE_MAX, OF_A_CLIENT_MAX = 100, 20
"""Requests that may wait for the provider, which is asked for strangers too."""
CALLBACK: Final = "/auth/callback"
PROBLEM_PAGE = "/signed-out"
_PAGE = re.compile(r"/(?:[a-z0-9][a-z0-9-]*+/?+)*+")
_ERRORS: Final = {
    "access_denied": "access_denied",
    "unmet_authentication_requirements": "no_face_match",
}
"""Of the provider (RFC 6749 §4.1.2.1, OpenID Connect Unmet Authentication Requirements 1.0)."""
_NO_STORE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_COOKIE: Final[dict[str, Any]] = {"secure": True, "httponly": True, "samesite": "lax", "path": "/"}

_CHALLENGE: Final = {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"}

_log = structlog.get_logger(__name__)


class SessionAnswer(BaseModel):
    """Who has signed in. ``csrf_token`` goes into the header ``X-CSRF-Token`` of each write."""

    role: Role
    scopes: list[str]
    sub: str
    station: str | None = None
    name: str | None = None
    scenarios: list[str] | None = None
    case: str | None = None
    expires_at: AwareDatetime
    csrf_token: str


class SignedOutAnswer(BaseModel):
    """``location`` is where the browser goes on, to end the provider's session too."""

    location: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the endpoints work with. ``access_claims`` verifies an access token for this service and
    returns its claims; ``logouts`` are the logout tokens of the last minutes."""

    provider: Provider
    sessions: Sessions
    pending: PendingSignIns
    accounts: Accounts
    access_claims: Callable[[str], Awaitable[Mapping[str, Any]]]
    logouts: SeenProofs
    public_url: str
    step_up: StepUp
    waiting: Admission = field(
        default_factory=lambda: Admission(
            AT_ONCE_MAX,
            "Too many sign-ins are going on: try again in a moment.",
            a_client_max=OF_A_CLIENT_MAX,
        )
    )


router = APIRouter(prefix="/auth", tags=["sign-in"])
"""Of a service that has a provider; its state has a :class:`SignIn`."""


@router.get("/sign-in", status_code=303, response_class=RedirectResponse)
async def begin(
    request: Request,
    next: str = NEXT_DEFAULT,  # noqa: A002  its name
    step_up: Literal["face"] | None = None,
) -> Response:
    """Send the browser to the provider's sign-in; afterwards it comes back to ``next``. With
    ``step_up`` the provider is asked to compare the face."""
    sign_in = _of(request)
    pending = PendingSignIn.begin(own_page(next), steps_up=step_up is not None)
    try:
        with sign_in.waiting.place(client_of(request)):
            address = await sign_in.provider.address(
                state=pending.state,
                nonce=pending.nonce,
                verifier=pending.verifier,
                more=sign_in.step_up.parameters() if pending.steps_up else None,
            )
    except ProviderUnavailable as error:
        return _failed("provider_unavailable", pending.next, error)
    response = RedirectResponse(address, 303, _NO_STORE)
    response.set_cookie(COOKIE, sign_in.pending.seal(pending), LIFE_S, **_COOKIE)
    return response


@router.get("/callback", status_code=303, response_class=RedirectResponse)
async def callback(request: Request) -> Response:
    """Where the provider sends the browser back to."""
    sign_in = _of(request)
    pending = sign_in.pending.open(cookies.cookie_of(request.scope, COOKIE))
    if pending is None:
        return _failed("expired", PROBLEM_PAGE)
    try:
        with sign_in.waiting.place(client_of(request)):
            response = await _finish(request, sign_in, pending)
    except SignInRefused as refused:
        response = _failed(refused.code, pending.next)
    except NoRole as missing:
        _log.warning("account can't be used", reason=str(missing))
        response = _failed(missing.code, pending.next)
    except BadToken as error:
        response = _failed("invalid_answer", pending.next, error)
    except (ProviderUnavailable, Unavailable) as error:
        response = _failed("provider_unavailable", pending.next, error)
    response.delete_cookie(COOKIE, **_COOKIE)
    return response


@router.get("/session", responses=problems(401))
async def session(request: Request) -> JSONResponse:
    """Who has signed in with this browser."""
    found = await _session(request)
    principal = found.principal
    answer = SessionAnswer(
        role=found.role,
        scopes=sorted(principal.scopes),
        sub=principal.subject,
        station=principal.station,
        name=found.name,
        scenarios=sorted(principal.scenarios) or None,
        case=principal.case,
        expires_at=datetime.fromtimestamp(found.expires_at, UTC),
        csrf_token=found.csrf_token,
    )
    return JSONResponse(answer.model_dump(mode="json", exclude_none=True), headers=_NO_STORE)


@router.post("/sign-out", responses=problems(401, 403))
async def sign_out(request: Request) -> JSONResponse:
    """End the session here, and say where the provider's own ends."""
    sign_in = _of(request)
    found = await _session(request)
    cookies.require_own_page(request.scope, found, sign_in.public_url)
    await sign_in.sessions.end(cookies.cookie_of(request.scope, cookies.COOKIE) or "")
    back = f"{sign_in.public_url}{PROBLEM_PAGE}"
    try:
        location = await sign_in.provider.end_session_address(found.id_token, back)
    except ProviderUnavailable as error:
        _log.warning("provider's session not ended", error=str(error))
        location = None
    answer = SignedOutAnswer(location=location or PROBLEM_PAGE)
    response = JSONResponse(answer.model_dump(), headers=_NO_STORE)
    response.delete_cookie(cookies.COOKIE, **_COOKIE)
    return response


@router.post("/back-channel-logout", responses=problems(400, 413, 503))
async def back_channel_logout(request: Request) -> Response:
    """End the sessions that the provider says have ended (OpenID Connect Back-Channel Logout
    1.0); the body is a form with `logout_token`."""
    sign_in = _of(request)
    body = (await request.body()).decode("ascii", "replace")
    try:
        [token] = parse_qs(body, max_num_fields=FIELDS_MAX).get("logout_token", [])
        with sign_in.waiting.place(client_of(request)):
            account, token_id = await sign_in.provider.ended(token)
        proof = Proof("logout", token_id)
        sign_in.logouts.spend(proof)
    except (SignInRefused, BadProof, ValueError):
        raise HttpProblem(400, "INVALID_REQUEST", "The logout token is not valid.") from None
    except ProviderUnavailable as error:
        raise Unavailable("The provider's keys can't be fetched.") from error
    try:
        await sign_in.sessions.end_all(account)
    except Unavailable:
        sign_in.logouts.forget(proof)  # the provider sends it again
        raise
    return Response(None, 200, _NO_STORE)


async def _finish(request: Request, sign_in: SignIn, pending: PendingSignIn) -> Response:
    """
    Raises:
        SignInRefused, ProviderUnavailable, BadToken, Unavailable
    """
    query = request.query_params
    state, code = query.get("state", ""), query.get("code", "")
    if not hmac.compare_digest(state.encode(), pending.state.encode()):
        raise SignInRefused("expired")
    if query.get("iss", sign_in.provider.issuer) != sign_in.provider.issuer:  # RFC 9207
        raise SignInRefused("invalid_answer")
    if "error" in query:
        raise SignInRefused(_ERRORS.get(query["error"], "refused"))
    if not 0 < len(code) <= PARAMETER_LENGTH_MAX:
        raise SignInRefused("invalid_answer")
    tokens = await sign_in.provider.exchange(code, nonce=pending.nonce, verifier=pending.verifier)
    authentication = authentication_of(tokens.claims)
    if pending.steps_up and sign_in.step_up.face_match(authentication) is None:
        raise SignInRefused("no_face_match")
    claims = dict(tokens.claims)
    if sign_in.accounts.mapping.in_access_token:
        claims = {**await sign_in.access_claims(tokens.access_token)}
        if claims.get("sub") != tokens.claims.get("sub"):
            raise SignInRefused("invalid_answer")
    account = await sign_in.accounts.of(claims)
    expires_at = time.time() + LIFETIME.total_seconds()
    session = Session(
        principal=replace(
            account.principal,
            expires_at=expires_at,
            bound_to=None,
            authentication=authentication,
        ),
        role=account.role,
        csrf_token=secrets.token_urlsafe(32),
        id_token=tokens.id_token if sign_in.accounts.mapping.in_access_token else None,
        name=account.name,
    )
    if former := cookies.cookie_of(request.scope, cookies.COOKIE):
        await sign_in.sessions.end(former)
    own = ProviderAccount(str(tokens.claims["sub"]), text_claim(tokens.claims, "sid"))
    identifier = await sign_in.sessions.begin(session, own)
    response = RedirectResponse(pending.next, 303, _NO_STORE)
    response.set_cookie(cookies.COOKIE, identifier, **_COOKIE)
    return response


def own_page(path: str) -> str:
    """The page of this service with this path; any other address becomes the overview."""
    return path if len(path) <= PATH_LENGTH_MAX and _PAGE.fullmatch(path) else NEXT_DEFAULT


def _failed(code: str, page: str, error: Exception | None = None) -> Response:
    """Back to a page, which says what happened by the ``code`` in the fragment."""
    if error is not None:
        _log.warning("sign-in failed", reason=code, error=type(error).__name__)
    return RedirectResponse(f"{own_page(page)}#sign-in={code}", 303, _NO_STORE)


async def _session(request: Request) -> Session:
    found = None
    if identifier := cookies.cookie_of(request.scope, cookies.COOKIE):
        found = await _of(request).sessions.of(identifier)
    if found is None:
        stale = Response()
        stale.delete_cookie(cookies.COOKIE, **_COOKIE)
        headers = {**_CHALLENGE, "Set-Cookie": stale.headers["set-cookie"]}
        raise HttpProblem(401, "UNAUTHENTICATED", "There is no session: sign in.", headers)
    return found


def _of(request: Request) -> SignIn:
    return cast("SignIn", request.app.state.sign_in)
