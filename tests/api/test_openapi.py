"""/openapi.json is complete, valid, and describes what the service does."""

from collections import Counter

import pytest
import schemathesis

from tests.api.orders import ORDER
from tests.api.phones import claim

N = "/v1/permits/{permit_number}"
H = "/v1/audit/holders/{holder_id}"
Q = "/v1/operations/quarantine"
A = "/v1/audit/permits/{permit_number}"
C = "/v1/id-card-applications"
R = f"{C}/{{receipt_number}}"
CONTRACT = {
    *("POST /v1/permits", f"GET {N}", f"GET {N}/physical", f"GET {N}/electronic"),
    *("POST /v1/permits/searches", f"POST {N}/endorsements", f"POST {N}/loss-reports"),
    *(f"POST {N}/loss-lifts", f"POST {N}/reissues", f"POST {N}/replacements"),
    *(f"POST {N}/address-changes", f"POST {N}/identity-corrections"),
    *(f"POST {N}/cancellations", f"POST {N}/voidings", f"POST {N}/electronic/claims"),
    *("POST /v1/verifications", "GET /v1/me/permit", "GET /healthz", "GET /readyz"),
    *("GET /v1/permits", f"POST {N}/deliveries", "GET /v1/verifications"),
    "POST /v1/verifications/batches",
    *("GET /metrics", "PUT /v1/dev/clock", "POST /v1/dev/tokens"),
    *(f"GET {A}/events", f"GET {A}/state", f"GET {A}/checks", "GET /v1/audit/reads"),
    f"GET {N}/log-entries",
    *(f"GET {A}/evidence", "GET /tlog/checkpoint", "GET /tlog/tile/{tile_path}"),
    "GET /tlog/tile/entries/{tile_path}",
    *("GET /tlog/proof/{position}", "GET /tlog/key"),
    *("GET /v1/stats", "GET /v1/stats/live", "GET /v1/stats/files/{name}"),
    *(f"POST {C}", f"POST {R}/dispatches", f"POST {R}/approvals", f"POST {R}/returns"),
    *(f"POST {R}/productions", f"POST {R}/arrivals", f"POST {R}/withdrawals"),
    *(f"POST {R}/collections", f"GET {R}/progress"),
}
"""Operations that the outside world relies on."""


@pytest.fixture(scope="module")
def document(http):
    return http.get("/openapi.json").json()


@pytest.fixture(scope="module")
def schema(service):
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_it_is_openapi_3_1(document, schema):
    """Valid by its own metaschema."""
    assert document["openapi"].startswith("3.1")
    schema.validate()


def test_every_documented_path_exists(document):
    """None was renamed."""
    assert CONTRACT <= {label for label, _ in operations(document)}


def test_every_operation_has_a_summary_and_a_name(document):
    """Each name is unique."""
    described = {label: operation.get("description") for label, operation in operations(document)}
    assert [] == [label for label, text in described.items() if not text]
    names = [operation["operationId"] for _, operation in operations(document)]
    assert [] == [name for name, times in Counter(names).items() if times > 1]


def test_every_body_documents_its_limits(document):
    """Every endpoint with a body documents 413 and 422."""
    taking = {label: op["responses"] for label, op in operations(document) if "requestBody" in op}

    assert [] == [label for label, answers in taking.items() if not {"413", "422"} <= set(answers)]


def test_the_contracts_headers_are_documented(document):
    """Position and version on every permit, and when to come back on a 503."""
    found = dict(operations(document))
    issued = found["POST /v1/permits"]["responses"]

    assert {"Ledger-Position", "ETag", "Idempotency-Replayed"} <= set(issued["201"]["headers"])
    assert {"Retry-After"} <= set(issued["503"]["headers"])
    assert {"WWW-Authenticate"} <= set(issued["401"]["headers"])


def test_problems_are_documented_as_problems_only(document):
    """No other response has their media type."""
    media = {
        (label, status): set(answer.get("content", {}))
        for label, operation in operations(document)
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    }

    assert {frozenset({"application/problem+json"})} == {
        frozenset(kinds) for kinds in media.values()
    }


def test_all_responses_of_a_permits_life_match_the_document(
    at,
    schema,
    http,
    registrar,
    verifier,
    investigator,
    operator,
    holder_of,
    application,
):
    """Refusals included."""
    at("2026-12-20")
    person = application(issued_on="2026-01-05")
    issued = registrar.post("/v1/permits", person)
    permit = issued.json()
    holder, path = holder_of(permit), f"/v1/permits/{permit['permit_number']}"
    audit = f"/v1/audit/holders/{permit['holder_id']}"
    looked_at = f"/v1/audit/permits/{permit['permit_number']}"
    card = {"track": "physical", "permit_number": permit["permit_number"], "card_serial": 1}
    seen = {"min_position": permit["as_of_position"]}
    number = {"citizen_id_number": person["holder"]["citizen_id_number"]}
    answers = {
        "POST /v1/permits": [issued, registrar.post("/v1/permits", person)],
        "GET /v1/permits": [registrar.get("/v1/permits"), registrar.get("/v1/permits", limit=1)],
        f"GET {N}": [registrar.get(path, **seen), registrar.get("/v1/permits/nonsense")],
        f"GET {N}/physical": [registrar.get(f"{path}/physical"), holder.get(f"{path}/physical")],
        f"GET {N}/electronic": [registrar.get(f"{path}/electronic")],
        "GET /v1/me/permit": [holder.get("/v1/me/permit"), registrar.get("/v1/me/permit")],
        "POST /v1/permits/searches": [registrar.post("/v1/permits/searches", number)],
        f"POST {N}/electronic/claims": [
            claim(holder, permit["permit_number"]),
            holder.post(f"{path}/electronic/claims", {}),
        ],
        f"POST {N}/endorsements": [
            registrar.post(f"{path}/endorsements", {"card_presented": "card"}),
            registrar.post(f"{path}/endorsements", {"card_presented": "card"}, if_match='"9"'),
        ],
        f"POST {N}/reissues": [
            registrar.post(f"{path}/reissues"),
            registrar.post(f"{path}/loss-reports"),
            registrar.post(f"{path}/reissues"),
        ],
        "POST /v1/verifications": [
            verifier.post("/v1/verifications", {"scenario": "law_enforcement", **card}),
            verifier.post("/v1/verifications", {"scenario": "dog_walking", **card}),
        ],
        "GET /v1/verifications": [verifier.get("/v1/verifications", limit=1)],
        "POST /v1/verifications/batches": [
            verifier.post(
                "/v1/verifications/batches",
                {"checks": [{"scenario": "law_enforcement", **card}] * 2},
            ),
        ],
        f"POST {N}/deliveries": [registrar.post(f"{path}/deliveries")],
        f"POST {N}/cancellations": [
            registrar.post(f"{path}/cancellations", {"reason": "moved_away"}),
            registrar.post(f"{path}/cancellations", {"reason": "moved_away"}),
        ],
        f"GET {A}/events": [
            investigator.get(f"{looked_at}/events"),
            investigator.get(f"{looked_at}/events", after=-1),
        ],
        f"GET {A}/state": [
            investigator.get(f"{looked_at}/state"),
            investigator.get(f"{looked_at}/state", at="2020-01-01T00:00:00Z"),
        ],
        f"GET {A}/timeline": [investigator.get(f"{looked_at}/timeline")],
        f"GET {A}/checks": [
            investigator.get(f"{looked_at}/checks"),
            registrar.get(f"{looked_at}/checks"),
        ],
        "GET /v1/audit/reads": [investigator.get("/v1/audit/reads")],
        f"POST {H}/restrictions": [
            investigator.post(f"{audit}/restrictions", ORDER),
            investigator.post("/v1/audit/holders/nobody/restrictions", ORDER),
        ],
        f"POST {H}/restriction-lifts": [
            investigator.post(f"{audit}/restriction-lifts", ORDER),
            investigator.post(f"{audit}/restriction-lifts", ORDER),
        ],
        f"POST {H}/erasures": [
            operator.post(f"{audit}/erasures", ORDER),
            erased := investigator.post(f"{audit}/erasures", ORDER),
        ],
        f"DELETE {H}/erasures": [
            operator.http.delete(f"{audit}/erasures", headers=operator.headers),
        ],
        "GET /v1/audit/erasures": [investigator.get("/v1/audit/erasures")],
        f"GET {Q}": [operator.get(Q), registrar.get(Q)],
        f"POST {Q}/{{permit_number}}/retries": [
            operator.post(f"{Q}/{permit['permit_number']}/retries"),
            operator.post(f"{Q}/{permit['permit_number']}/retries", {"force": True}),
        ],
        "GET /readyz": [http.get("/readyz")],
        "GET /metrics": [http.get("/metrics")],
    }

    for label, given_answers in answers.items():
        method, route = label.split()
        for answer in given_answers:
            schema[route][method].validate_response(answer)
    gone = {"min_position": erased.json()["as_of_position"]}
    for track in ("physical", "electronic"):
        answer = registrar.get(f"{path}/{track}", **gone)
        assert answer.json()["name"] is None
        schema[f"{N}/{track}"]["GET"].validate_response(answer)
    statuses = {answer.status_code for some in answers.values() for answer in some}
    assert {200, 201, 202, 403, 404, 409, 412, 422} == statuses


def test_the_description_is_rendered_once(http):
    """It is large and for everyone: the same bytes each time, and none for whoever has them."""
    first, second = http.get("/openapi.json"), http.get("/openapi.json")
    again = http.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

    assert first.content == second.content
    assert (304, b"") == (again.status_code, again.content)
