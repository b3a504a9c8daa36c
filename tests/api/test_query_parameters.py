"""Query parameters that an endpoint does not declare, and repeated ones, are refused everywhere."""

import re
from collections import Counter

import pytest

EXAMPLES = {"name": "losses.csv", "tile_path": "0/000", "position": "1"}
UNKNOWN = "?permit_number=000000000000"


@pytest.fixture(scope="module")
def operations(http):
    """Every operation of the description, with an address that fits it."""
    found = []
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        filled = re.sub(r"\{(\w+)\}", lambda name: EXAMPLES.get(name[1], "x"), path)
        found += [(method.upper(), filled, operation) for method, operation in methods.items()]
    return found


@pytest.fixture(scope="module")
def everyone(caller):
    """A caller in each role."""
    roles = ("registrar", "verifier", "investigator", "operator")
    return [caller("holder", holder_id="nobody"), *(caller(role, case="C") for role in roles)]


def refusals(answer):
    assert 422 == answer.status_code, (answer.request.url, answer.text)
    problem = answer.json()
    assert "INVALID_REQUEST" == problem["code"]
    return {(error["field"], error["reason"]) for error in problem.get("errors", ())}


def test_an_unknown_parameter_is_refused_by_every_operation(http, operations, everyone):
    """Whoever asks, with a body or without. The name is not repeated: it may be personal."""
    for method, path, _ in operations:
        for caller in everyone:
            answer = http.request(
                method, path + UNKNOWN, headers=caller.headers | {"Prefer": "wait=0"}
            )
            assert {("query", "unknown parameter")} == refusals(answer)


def test_a_repeated_parameter_is_refused_by_every_operation(http, operations, everyone):
    """Two readers of one request could take different ones."""
    asked = 0
    for method, path, operation in operations:
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                name = parameter["name"]
                query = f"{path}?{name}=1&{name}=2"
                answers = [http.request(method, query, headers=one.headers) for one in everyone]
                for answer in answers:
                    assert {(f"query.{name}", "must be given only once")} == refusals(answer)
                asked += 1
    assert asked > 20


def test_no_instant_is_an_unexpected_error(http, operations, everyone):
    """At the ends of the calendar, where another offset leads out of it; also in a list's place."""
    instants = (
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:60Z"),
        *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1900-01-01T00:00:00+23:59"),
        *("2099-12-31T23:59:59-23:59", "0000-01-01T00:00:00Z", "0001-01-01", "9999-12-31"),
    )
    texts = [f"{instant}{suffix}" for instant in instants for suffix in ("", "_A")]
    statuses = Counter()
    for method, path, operation in operations:
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query" and _takes_text(parameter["schema"]):
                for query in ({parameter["name"]: text} for text in texts):
                    answers = [
                        http.request(method, path, params=query, headers=one.headers)
                        for one in everyone
                    ]
                    assert all(answer.status_code < 500 for answer in answers), (path, query)
                    statuses.update(answer.status_code for answer in answers)
    assert {200, 403, 422} <= statuses.keys()


def _takes_text(schema):
    """Of a parameter: any text, or an instant."""
    kinds = schema.get("anyOf", [schema])
    return any(kind.get("type") == "string" and "enum" not in kind for kind in kinds)


def test_a_check_with_a_query_is_refused(verifier):
    """On the direct path of checks as on the ordinary one."""
    card = {"scenario": "patrol_inspection", "track": "physical", "permit_number": "x"}

    answer = verifier.post(f"/v1/verifications{UNKNOWN}", {**card, "card_serial": 1})

    assert {("query", "unknown parameter")} == refusals(answer)


@pytest.mark.parametrize("path", ["/openapi.json", "/healthz", "/readyz", "/metrics", "/tlog/key"])
def test_public_endpoints_refuse_them_too(http, path):
    assert {("query", "unknown parameter")} == refusals(http.get(path, params={"x": ""}))


@pytest.mark.parametrize("query", ["?", "?&", "?&&"])
def test_an_empty_query_is_none(http, query):
    assert 200 == http.get(f"/healthz{query}").status_code


def test_a_stranger_is_asked_for_a_token_first(http):
    """401, as without the parameter; a public endpoint answers 422."""
    assert 401 == http.get(f"/v1/audit/reads{UNKNOWN}").status_code
    assert 401 == http.get(f"/v1/me/permit{UNKNOWN}").status_code
    assert 422 == http.get(f"/v1/stats{UNKNOWN}").status_code


def test_pages_open_whatever_was_added_to_the_link(http):
    """They are public and the same for all; a messenger may decorate a link."""
    html = {"Accept": "text/html"}
    for path in ("/", "/me", "/audit", "/v/3ZQ8K5V0N1C7W2RXG4T9J6MEHA"):
        assert 200 == http.get(f"{path}?from=message", headers=html).status_code


def test_every_operation_documents_the_refusal(operations):
    for method, path, operation in operations:
        assert "422" in operation["responses"], (method, path)
