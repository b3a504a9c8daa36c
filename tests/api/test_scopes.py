"""Scopes: every endpoint serves its roles and no others."""

import pytest

from tests.api.phones import claim

ROLES = ["registrar", "holder", "verifier", "investigator", "supervisor", "operator"]
N = "/v1/permits/{permit_number}"
H = "/v1/audit/holders/{holder_id}"
Q = "/v1/operations/quarantine"
A = "/v1/audit/permits/{permit_number}"
C = "/v1/id-card-applications"
R = f"{C}/{{receipt_number}}"
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
        for log in ("", "/checks", "/manifests")
        for what in ("checkpoint", "checkpoint/witnessed", "policy", "key", "proof/{position}")
    ),
    *(("get", f"/tlog{log}/tile/{{tile_path}}") for log in ("", "/checks", "/manifests")),
}
AUDITORS = {"investigator", "supervisor"}
ALLOWED = {
    ("post", "/v1/permits"): {"registrar"},
    ("get", "/v1/permits"): {"registrar"},
    ("post", "/v1/permits/searches"): {"registrar"},
    ("get", N): {"registrar"},
    ("get", f"{N}/physical"): {"registrar", "holder"},
    ("get", f"{N}/electronic"): {"registrar", "holder"},
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
    **{
        ("get", f"/tlog{log}/tile/entries/{{tile_path}}"): {*AUDITORS, "operator"}
        for log in ("", "/checks", "/manifests")
    },
    ("get", "/v1/stats/supervision"): {"supervisor"},
    ("get", "/v1/stats/staff"): {"registrar", *AUDITORS, "operator"},
    ("get", Q): {"operator"},
    ("post", f"{Q}/{{permit_number}}/retries"): {"operator"},
}


@pytest.fixture(scope="module")
def callers(caller):
    """A caller in every role."""
    claims = {"holder": {"holder_id": "somebody"}, "investigator": {"case": "A-1"}}
    claims["supervisor"] = claims["investigator"]
    return {role: caller(role, **claims.get(role, {})) for role in ROLES}


def ask(http, method, path, headers):
    body = {"json": {}} if method != "get" else {}
    path = path.replace("{permit_number}", "000000000000").replace("{holder_id}", "somebody")
    return http.request(method, path, headers=headers, **body)


def test_every_endpoint_is_in_the_table(http):
    """A new endpoint has to be entered here, with its roles."""
    paths = http.get("/openapi.json").json()["paths"]

    assert PUBLIC | set(ALLOWED) == {(method, path) for path in paths for method in paths[path]}


def test_every_endpoint_needs_a_token(http):
    """401 before anything else is read."""
    for method, path in ALLOWED:
        answer = ask(http, method, path, {})
        refused = answer.status_code, answer.json()["code"], answer.headers["WWW-Authenticate"]
        assert (401, "UNAUTHENTICATED", 'Bearer, DPoP algs="ES256"') == refused, (method, path)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_its_endpoints_and_no_others(http, callers, role):
    """403 from the others; its own go on to the path and the body."""
    wrong = {
        (method, path): (answer.status_code, answer.headers.get("WWW-Authenticate"))
        for (method, path), roles in ALLOWED.items()
        if not is_as_allowed(answer := ask(http, method, path, callers[role].headers), role, roles)
    }

    assert {} == wrong


def is_as_allowed(answer, role, roles):
    challenge = answer.headers.get("WWW-Authenticate", "")
    if role in roles:
        # A holder without a phone is asked for a proof of its key.
        return answer.status_code in {200, 404, 409, 422} or challenge.startswith("DPoP ")
    is_refused = (403, "FORBIDDEN") == (answer.status_code, answer.json()["code"])
    return is_refused and 'error="insufficient_scope"' in challenge


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
