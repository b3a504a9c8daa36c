"""Who may do what: every endpoint of ``/openapi.json``, every role, and every means of showing it.

The service of the table has an issuer, whose key the tests hold, and a provider that is not asked:
sessions are begun as a sign-in begins them.
"""

import asyncio
import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from urllib.parse import quote

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from api.http.cookies import COOKIE
from api.http.roles import ROLE_SCOPES, Role
from api.http.tokens import Principal
from api.sign_in.sessions import ProviderAccount, Session, Sessions
from domain import citizen_id
from ledger.database.connections import as_service
from permit_ledger.keys import files as keys
from permit_ledger.settings import Settings
from projections.queries.permits import read_pool
from tests.api.conftest import free_port
from tests.api.phones import claim
from tests.api.service import Caller, Service

ROLES = [role.value for role in Role]
STATION, OTHER_STATION, UNKNOWN_STATION = "320211-01", "320281-03", "999999-01"
CLIENTS = 4
N = "/v1/permits/{permit_number}"
H = "/v1/audit/holders/{holder_id}"
Q = "/v1/operations/quarantine"
A = "/v1/audit/permits/{permit_number}"
C = "/v1/id-card-applications"
R = f"{C}/{{receipt_number}}"
LOGS = ("", "/checks", "/manifests", "/audit-reads")
STEPS = (
    *("dispatches", "approvals", "returns", "productions", "arrivals"),
    *("withdrawals", "collections"),
)
PUBLIC = {
    ("get", "/"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/.well-known/jwks.json"),
    ("post", "/v1/dev/tokens"),
    ("get", "/v1/dev/clock"),
    ("put", "/v1/dev/clock"),
    ("get", "/v1/dev/people"),
    ("get", "/v1/live"),
    ("get", "/v1/stats"),
    ("get", "/v1/stats/live"),
    ("get", "/v1/stats/files/{name}"),
    ("get", "/tlog/keys"),
    ("get", f"{R}/progress"),
    *(
        ("get", f"/tlog{log}/{what}")
        for log in LOGS
        for what in ("checkpoint", "checkpoint/witnessed", "policy", "key", "proof/{position}")
    ),
    *(("get", f"/tlog{log}/tile/{{tile_path}}") for log in LOGS),
    *(("get", f"/tlog{log}/tile/entries/{{tile_path}}") for log in LOGS),
}
AUDITORS = {"investigator", "supervisor"}
ALLOWED = {
    ("post", "/v1/permits"): {"registrar"},
    ("get", "/v1/permits"): {"registrar"},
    ("post", "/v1/permits/searches"): {"registrar"},
    ("get", N): {"registrar"},
    ("get", f"{N}/physical"): {"registrar", "holder"},
    ("get", f"{N}/electronic"): {"registrar", "holder"},
    ("get", f"{N}/log-entries"): {"registrar", "holder"},
    ("get", f"{N}/absence"): {"registrar", "holder"},
    ("post", f"{N}/endorsements"): {"registrar"},
    ("post", f"{N}/loss-reports"): {"registrar"},
    ("post", f"{N}/loss-lifts"): {"registrar"},
    ("post", f"{N}/reissues"): {"registrar"},
    ("post", f"{N}/replacements"): {"registrar"},
    ("post", f"{N}/deliveries"): {"registrar"},
    ("post", f"{N}/card-deliveries"): {"registrar"},
    ("post", f"{N}/address-changes"): {"registrar"},
    ("post", f"{N}/identity-corrections"): {"registrar"},
    ("post", f"{N}/cancellations"): {"registrar"},
    ("post", f"{N}/voidings"): {"registrar"},
    ("post", C): {"registrar"},
    ("get", C): {"registrar"},
    ("get", f"{C}/counts"): {"registrar"},
    ("get", R): {"registrar"},
    **{("post", f"{R}/{step}"): {"registrar"} for step in STEPS},
    ("post", f"{N}/electronic/claims"): {"holder"},
    ("post", f"{N}/electronic/device-revocations"): {"holder"},
    ("get", "/v1/me/permit"): {"holder"},
    ("get", "/v1/me/devices"): {"holder"},
    ("get", "/v1/me/live"): {"holder"},
    ("get", f"{N}/live"): {"registrar"},
    ("post", "/v1/verifications/frames"): {"verifier"},
    ("post", f"{N}/electronic/display-codes"): {"holder"},
    ("get", "/v1/me/checks"): {"holder"},
    ("get", "/v1/me/reads"): {"holder"},
    ("get", "/v1/me/receipts/{check_id}"): {"holder"},
    ("post", "/v1/verifications"): {"verifier"},
    ("get", "/v1/verifications"): {"verifier"},
    ("post", "/v1/verifications/batches"): {"verifier"},
    ("post", "/v1/verifications/challenges"): {"verifier"},
    ("post", f"{H}/restrictions"): {"investigator", "operator"},
    ("post", f"{H}/restriction-lifts"): {"investigator", "operator"},
    ("post", f"{H}/erasures"): {"investigator", "operator"},
    ("delete", f"{H}/erasures"): {"investigator", "operator"},
    ("get", "/v1/audit/erasures"): {"investigator", "operator"},
    ("get", f"{A}/events"): AUDITORS,
    ("get", f"{A}/state"): AUDITORS,
    ("get", f"{A}/timeline"): AUDITORS,
    ("get", f"{A}/checks"): AUDITORS,
    ("get", f"{A}/evidence"): AUDITORS,
    ("get", f"{A}/registrar-reads"): AUDITORS,
    ("get", "/v1/audit/id-card-applications/{receipt_number}/registrar-reads"): AUDITORS,
    ("get", "/v1/audit/id-card-applications/{receipt_number}/events"): AUDITORS,
    ("get", "/v1/audit/id-card-applications/{receipt_number}/evidence"): AUDITORS,
    ("get", "/v1/audit/reads"): AUDITORS,
    ("get", "/v1/stats/supervision"): {"supervisor"},
    ("get", "/v1/stats/staff"): {"registrar", *AUDITORS, "operator"},
    ("get", Q): {"operator"},
    ("post", f"{Q}/{{permit_number}}/retries"): {"operator"},
}


DEVELOPMENT = {route for route in PUBLIC if route[1].startswith("/v1/dev/")}
SIGN_IN = {
    ("get", "/auth/sign-in"),
    ("get", "/auth/callback"),
    ("post", "/auth/back-channel-logout"),
}
"""Public as well, where there is a provider."""
OWN_SESSION = {("get", "/auth/session"), ("post", "/auth/sign-out")}
"""For a session of any role, and for nothing else."""


STEP_UP = {("post", f"{N}/electronic/claims")}
"""For a holder whose provider has just compared the face; others may be sent there (RFC 9470)."""


class Guarded:
    """Makes callers of that service."""

    def __init__(self, service, key):
        self.service, self._key = service, key
        self.holder_number = None
        settings = Settings(data_dir=service.data_dir)
        self._sessions_key = keys.sessions(settings)

    def claims(self, role, subject, **changes):
        """Of a token, by the names of the mapping."""
        role = Role(role)
        own = {
            Role.REGISTRAR: {"station": STATION},
            Role.VERIFIER: {"scenarios": ["patrol_inspection"]},
            Role.HOLDER: {"citizen_id_number": self.holder_number},
        }
        return {
            "iss": ISSUER,
            "aud": "permit-ledger",
            "sub": subject,
            "roles": [role],
            "case": "2026-A-1",
            "exp": int(time.time()) + 600,
            **own.get(role, {}),
            **changes,
        }

    def bearer(self, role, subject, key=None, **changes):
        token = jwt.encode(
            {"alg": "ES256"}, self.claims(role, subject, **changes), key or self._key
        )
        return {"authorization": f"Bearer {token}"}

    def session(self, role, subject, lasts_s=600, **changes):
        """As a page has it: a cookie, and what goes with writes."""
        role = Role(role)
        granted = {
            "subject": self.holder_id if role is Role.HOLDER else subject,
            "scopes": frozenset(ROLE_SCOPES[role]),
            "station": STATION if role is Role.REGISTRAR else None,
            "scenarios": frozenset({"patrol_inspection"}),
            "case": "2026-A-1",
            "expires_at": time.time() + lasts_s,
            **changes,
        }
        begun = Session(Principal(**granted), role, f"csrf-of-{subject}", "an.id.token")

        async def begin():
            url = as_service(self.service.database_url)
            async with read_pool(url, connections_max=1) as pool:
                sessions = Sessions(pool, self._sessions_key)
                return await sessions.begin(begun, ProviderAccount(subject))

        return {
            "cookie": f"{COOKIE}={asyncio.run(begin())}",
            "sec-fetch-site": "same-origin",
            "origin": self.service.url,
            "x-csrf-token": begun.csrf_token,
        }


ISSUER = "https://issuer.example"
CLAIMS = """roles_claim = "roles"
citizen_id_number_claim = "citizen_id_number"

[roles]
"""


@pytest.fixture(scope="module")
def issuer_key():
    return ECKey.generate_key("P-256", private=True)


@pytest.fixture(scope="module")
def production(make_service_dir, issuer_key):
    """The service outside development mode."""
    folder = make_service_dir()
    files = {
        "jwks": json.dumps({"keys": [issuer_key.as_dict(private=False)]}),
        "oidc_claims": CLAIMS + "".join(f'{role} = "{role}"\n' for role in ROLES),
        "oidc_client_secret_file": "a-secret-of-the-tests",
    }
    for name, content in files.items():
        (folder.parent / name).write_text(content)
    service = Service(folder, free_port())
    settings = {
        "issuer": ISSUER,
        "oidc_issuer": "http://127.0.0.1:9",
        "oidc_client_id": "pages",
        "public_url": service.url,
        **{name: str(folder.parent / name) for name in files},
    }
    given = {f"PERMIT_LEDGER_{name.upper()}": value for name, value in settings.items()}
    service.launch(environment=os.environ | given)
    service.wait_until_ready()
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="module")
def guarded(production, issuer_key, application):
    guarded = Guarded(production, issuer_key)
    with httpx.Client(base_url=production.url, timeout=30) as http:
        person = application()
        number = citizen_id.compose("320106", date(1990, 1, 1), 7)  # not a made-up one
        person["holder"]["citizen_id_number"] = number
        issued = Caller(http, guarded.bearer("registrar", "first")).post("/v1/permits", person)
        assert issued.status_code == 201, issued.text
    guarded.holder_number = number
    guarded.holder_id = issued.json()["holder_id"]
    return guarded


def ask(http, method, path, headers):
    """The answer's head, and its body if it is a refusal; streams are left at once."""
    body = {"json": {}} if method != "get" else {}
    path = path.replace("{permit_number}", "000000000000")
    path = re.sub(r"\{[^}]+\}", "unknown", path)
    with http.stream(method, path, headers=headers, **body) as answer:
        if answer.status_code >= 400:
            answer.read()
        return answer


def test_every_endpoint_is_in_the_table(http, guarded):
    """A new endpoint has to be entered here, with its roles."""

    def documented(client):
        paths = client.get("/openapi.json").json()["paths"]
        return {(method, path) for path in paths for method in paths[path]}

    assert PUBLIC | set(ALLOWED) == documented(http)
    with httpx.Client(base_url=guarded.service.url, timeout=30) as client:
        assert PUBLIC - DEVELOPMENT | SIGN_IN | OWN_SESSION | set(ALLOWED) == documented(client)


def means_of(guarded, role):
    """``{name: (headers, expected)}``: what callers of a role come with, and what they are
    answered: ``None`` as the table says, else this status wherever the table is not public."""
    stranger = ECKey.generate_key("P-256", private=True)
    stolen = guarded.session(role, f"{role}-stolen")
    ended = guarded.session(role, f"{role}-idle")
    guarded.service.execute(
        "UPDATE ledger.sessions SET used_at = used_at - interval '31 minutes'"
        " WHERE begun_at = (SELECT max(begun_at) FROM ledger.sessions)"
    )
    del stolen["x-csrf-token"], stolen["origin"]
    means = {
        "bearer": (guarded.bearer(role, f"{role}-1"), None),
        "session": (guarded.session(role, f"{role}-2"), None),
        "none": ({}, 401),
        "expired bearer": (guarded.bearer(role, f"{role}-3", exp=int(time.time()) - 60), 401),
        "bearer of another issuer's key": (guarded.bearer(role, f"{role}-4", stranger), 401),
        "bearer for another service": (guarded.bearer(role, f"{role}-5", aud="pages"), 401),
        "expired session": (guarded.session(role, f"{role}-6", lasts_s=-1), 401),
        "unused session": (ended, 401),
        "session of another page": ({**stolen, "sec-fetch-site": "cross-site"}, 403),
    }
    if role == "registrar":
        for n, (which, station, expected) in enumerate(
            [("another station", OTHER_STATION, None), ("no station here", UNKNOWN_STATION, 403)]
        ):
            bearer = guarded.bearer(role, f"registrar-{10 + n}", station=station)
            session = guarded.session(role, f"registrar-{20 + n}", station=station)
            means[f"bearer of {which}"] = (bearer, expected)
            means[f"session of {which}"] = (session, expected)
    return means


@pytest.mark.parametrize("role", ROLES)
def test_the_table_of_endpoints_roles_and_means(guarded, role):
    """Each cell is asked: 401 before anything else is read, 403 for other roles, and the role's
    own endpoints go on to path and body."""
    means = means_of(guarded, role)
    routes = [*ALLOWED, ("get", "/auth/session")]
    cells = [(name, route) for name in means for route in routes]

    with httpx.Client(base_url=guarded.service.url, timeout=60) as http:

        def wrong(cell):
            name, route = cell
            headers, expected = means[name]
            answer = ask(http, *route, headers)
            if is_as_expected(answer, name, route, role, expected):
                return None
            return name, route, answer.status_code, answer.headers.get("www-authenticate")

        with ThreadPoolExecutor(CLIENTS) as clients:
            assert [] == [found for found in clients.map(wrong, cells) if found]


def is_as_expected(answer, name, route, role, expected):
    is_session = "session" in name
    if route in OWN_SESSION:
        # It is read by the pages of this service only, or else by the browser of its person.
        return answer.status_code == (200 if is_session and expected != 401 else 401)
    roles = ALLOWED[route]
    if expected == 401 or (expected == 403 and "page" in name):
        code = {401: "UNAUTHENTICATED", 403: "FORBIDDEN"}[expected]
        return (expected, code) == (answer.status_code, answer.json()["code"])
    if expected == 403 and role in roles:
        return answer.status_code == 403
    challenge = answer.headers.get("WWW-Authenticate", "")
    if role in roles:
        if route in STEP_UP and "insufficient_user_authentication" in challenge:
            return answer.status_code == 401
        # A holder without a phone is asked for a proof of its key.
        return answer.status_code in {200, 404, 409, 422} or challenge.startswith("DPoP ")
    is_refused = (403, "FORBIDDEN") == (answer.status_code, answer.json()["code"])
    return is_refused and 'error="insufficient_scope"' in challenge


def test_public_endpoints_ask_for_nothing(guarded):
    """Also of those whose token or session has ended; those of development mode are not there."""
    means = means_of(guarded, "verifier")
    cookie = {"cookie": means["expired session"][0]["cookie"]}
    chosen = [{}, means["expired bearer"][0], cookie]
    with httpx.Client(base_url=guarded.service.url, timeout=60) as http:
        for route in PUBLIC - DEVELOPMENT | SIGN_IN:
            statuses = [ask(http, *route, headers).status_code for headers in chosen]
            assert not {401, 403} & set(statuses), (route, statuses)
        for route in DEVELOPMENT:
            assert 404 == ask(http, *route, means["bearer"][0]).status_code, route


def test_what_a_stranger_sends_to_the_sign_in_is_answered(guarded, subtests):
    """At once and without a failure, although its provider is down."""
    logout = "/auth/back-channel-logout"
    with httpx.Client(base_url=guarded.service.url, timeout=10) as http:
        for page in ("/" + "a" * 98 + "!", "/a-/b" * 19 + "//", "//elsewhere.example", "\ud800"):
            with subtests.test(page=page):
                answer = http.get(f"/auth/sign-in?next={quote(page, errors='surrogatepass')}")
                assert (303, "/#sign-in=provider_unavailable") == (
                    answer.status_code,
                    answer.headers["location"],
                )
        for body in (b"&" * 10, b"logout_token=a&logout_token=b", b"", b"\xff=\x00"):
            with subtests.test(body=body):
                answer = http.post(logout, content=body)
                assert (400, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
        assert 503 == http.post(logout, data={"logout_token": "a.b.c"}).status_code


def test_a_request_without_a_token_is_told_what_is_accepted(http):
    for method, path in ALLOWED:
        answer = ask(http, method, path, {})
        refused = answer.status_code, answer.json()["code"], answer.headers["WWW-Authenticate"]
        assert (401, "UNAUTHENTICATED", 'Bearer, DPoP algs="ES256"') == refused, (method, path)


def test_a_scope_is_compared_as_a_whole_word(signed):
    """A part of it, or another case, is not enough."""
    for scope in ("none", "permits", "permits:read", "PERMITS:WRITE", "write"):
        answer = signed(scope=scope).get("/v1/permits/000000000000")
        assert 403 == answer.status_code, scope


def test_one_of_several_scopes_is_enough(signed):
    """They are separated by spaces."""
    caller = signed(scope="verify permits:write erase")

    assert 404 == caller.get("/v1/permits/000000000000").status_code


@pytest.mark.parametrize("view", ["/physical", "/electronic"])
def test_a_holder_sees_only_their_own_tracks(issue, holder_of, view):
    """Another holder's permit gets the same response as one that does not exist."""
    own, other = issue(), issue()
    holder, position = holder_of(own), other["as_of_position"]

    mine = holder.get(f"/v1/permits/{own['permit_number']}{view}", min_position=position)
    theirs = holder.get(f"/v1/permits/{other['permit_number']}{view}", min_position=position)
    nobodys = holder.get(f"/v1/permits/000000000000{view}")

    assert (200, own["permit_number"]) == (mine.status_code, mine.json()["permit_number"])
    assert (404, "UNKNOWN_PERMIT") == (theirs.status_code, theirs.json()["code"])
    assert nobodys.content == theirs.content


@pytest.mark.parametrize("what", ["claims", "device-revocations"])
def test_a_holder_cannot_change_another_holders_permit(issue, holder_of, read, what):
    """404, and the permit is unchanged."""
    own, other = issue(), issue()
    holder, number = holder_of(own), other["permit_number"]
    path = f"/v1/permits/{number}/electronic/{what}"

    answer = claim(holder, number) if what == "claims" else holder.post(path, {"device": "A" * 43})

    assert (404, "UNKNOWN_PERMIT") == (answer.status_code, answer.json()["code"])
    assert 1 == read(other)["version"]


def test_officer_and_station_are_the_tokens(service, signed, application):
    """On the event."""
    registrar = signed(sub="officer-9", station="320281-03")

    permit = registrar.post("/v1/permits", application()).json()

    event = service.event(permit["as_of_position"])
    assert ("officer-9", "320281-03") == (event["actor"], event["station"])


def test_a_registrar_without_a_station_is_refused(signed, application):
    """Every event has a station, so the token has to name one."""
    answer = signed(station=None).post("/v1/permits", application())

    assert answer.status_code in {401, 403}
