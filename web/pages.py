"""The routes of the pages. Personal data is fetched by the page's scripts, with a token."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match
from starlette.types import Scope
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from domain.policy import Policy

from . import languages
from .assets import Assets
from .headers import ASSET_HEADERS, PAGE_HEADERS
from .languages import Language

ACCEPTED_LENGTH_MAX = 2000
COOKIE_MAX_AGE_S = 365 * 24 * 60 * 60
NAVIGATION = (
    ("/", "overview"),
    ("/me", "me"),
    ("/verify", "verify"),
    ("/counter", "counter"),
    ("/audit", "audit"),
    ("/stats", "stats"),
)

STATS_QUESTIONS = (
    "in_force_by_district",
    "electronic_adoption",
    "endorsement_outcomes",
    "endorsements_due",
    "delivery_times",
    "losses",
    "checks_answered",
    "station_throughput",
    "applications",
    "corrections",
    "suspicious",
)
"""In the order on the page."""


class HtmlRoute(APIRoute):
    """Matches clients that prefer HTML; others get the API's resource at the same path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        lines = [str(value, "latin-1") for name, value in scope["headers"] if name == b"accept"]
        accepted = parse_accept_header(",".join(lines)[:ACCEPTED_LENGTH_MAX], MIMEAccept)
        return super().matches(scope) if prefers_html(accepted) else (Match.NONE, {})


def prefers_html(accepted: MIMEAccept) -> bool:
    """Return whether HTML is preferred (RFC 9110 §12.5.1); JSON if both are equal."""
    return accepted.best_match(["application/json", "text/html"]) == "text/html"


class Pages:
    """Renders templates in the request's language."""

    def __init__(
        self, policy: Policy, *, is_development: bool, session_cookie: str | None = None
    ) -> None:
        self.assets = Assets("web", "static")
        self._session_cookie = session_cookie
        self._languages = languages.load()
        self._environment = Environment(
            loader=PackageLoader("web", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            asset=self.assets.address,
            navigation=NAVIGATION,
            is_development=is_development,
            way_in="development" if is_development else "provider" if session_cookie else "token",
            policy=policy,
        )

    def page(self, request: Request, template: str, **values: Any) -> Response:
        """Render a page, or redirect to it after a language was chosen."""
        if (chosen := request.query_params.get("language")) in languages.LANGUAGES:
            response: Response = RedirectResponse(request.url.path, 303, PAGE_HEADERS)
            response.set_cookie(
                languages.COOKIE, chosen, COOKIE_MAX_AGE_S, httponly=True, samesite="lax"
            )
            return response
        language = self._language(request)
        content = self._environment.get_template(template).render(
            language=language,
            text=language.texts,
            texts_for_scripts=_data(language),
            path=request.url.path,
            has_session=self._session_cookie in request.cookies,
            **values,
        )
        return _tagged(content.encode())

    def _language(self, request: Request) -> Language:
        stored = request.cookies.get(languages.COOKIE)
        accepted = ", ".join(request.headers.getlist("accept-language"))
        return self._languages[languages.preferred(stored, accepted)]


def _tagged(content: bytes) -> Response:
    """Add an entity tag, for :class:`api.http.conditional.ConditionalReads`."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    return Response(content, 200, {**PAGE_HEADERS, "ETag": tag}, "text/html; charset=utf-8")


def _data(language: Language) -> str:
    """Serialize the catalogue for a JSON ``script`` element, which nothing in it can close."""
    return orjson.dumps(language.texts).decode().replace("<", "\\u003c")


def router(policy: Policy, *, is_development: bool, session_cookie: str | None = None) -> APIRouter:
    """Make the routes of the pages and of their files.

    Args:
        is_development: People sign in as anyone.
        session_cookie: The cookie of those who have signed in at a provider; without it, and
            outside development mode, people paste a token.
    """
    pages = Pages(policy, is_development=is_development, session_cookie=session_cookie)
    routes = APIRouter(include_in_schema=False, tags=["pages"])

    async def overview(request: Request) -> Response:
        """The overview."""
        return pages.page(request, "overview.html")

    routes.add_api_route("/", overview, route_class_override=HtmlRoute)

    @routes.get("/me")
    async def me(request: Request) -> Response:
        """The holder's page."""
        return pages.page(request, "me.html")

    @routes.get("/verify")
    async def verify(request: Request) -> Response:
        """The verifier's page."""
        return pages.page(request, "verify.html")

    @routes.get("/counter")
    async def counter(request: Request) -> Response:
        """The registrar's page."""
        return pages.page(request, "counter.html")

    @routes.get("/counter/id-cards")
    async def id_cards(request: Request) -> Response:
        """The counter for first identity cards."""
        return pages.page(request, "id_cards.html")

    @routes.get("/progress")
    async def progress(request: Request) -> Response:
        """Progress by receipt number, which is in the fragment and stays in the browser."""
        return pages.page(request, "progress.html")

    @routes.get("/audit")
    async def audit(request: Request) -> Response:
        """The investigator's page."""
        return pages.page(request, "audit.html")

    @routes.get("/stats")
    async def stats(request: Request) -> Response:
        """The public statistics."""
        return pages.page(request, "stats.html", questions=STATS_QUESTIONS)

    @routes.get("/signed-out")
    async def signed_out(request: Request) -> Response:
        """Where a sign-out ends, and a sign-in that has failed without a page to go back to."""
        return pages.page(request, "signed_out.html")

    @routes.get("/v/{code}")
    @routes.get("/V/{code}")  # as in the QR code: upper case takes less space
    async def shown(request: Request, code: str) -> Response:  # noqa: ARG001  the page reads it
        """What another camera app opens; the same page for every code, live or not."""
        return pages.page(request, "shown.html")

    @routes.get("/static/{version}/{name:path}")
    async def static(version: str, name: str) -> Response:
        """A file, under its version's URL."""
        asset = pages.assets.get(version, name)
        if asset is None:
            raise HTTPException(404)
        return Response(asset.content, 200, ASSET_HEADERS, asset.media_type)

    return routes
