"""RFC 9457 problem documents: one format for all errors."""

import json
from datetime import datetime

import pytest
from starlette.requests import Request

from api.http import problems
from domain.calendar import SHANGHAI
from domain.errors import TooManyToday

KNOWN = {"type", "title", "status", "code", "detail"}


def assert_problem(answer, status, code, *more):
    assert "application/problem+json" == answer.headers["Content-Type"]
    problem = answer.json()
    assert KNOWN | set(more) == set(problem)
    assert (status, status, code) == (answer.status_code, problem["status"], problem["code"])
    assert f"urn:permit-ledger:problem:{code.lower().replace('_', '-')}" == problem["type"]
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.parametrize(
    "path", ["/nowhere", "/v1", "/v1/", "/v1/permits/1/2/3/4", "/../etc/passwd"]
)
def test_an_unknown_path(http, path):
    """404 for every caller."""
    assert_problem(http.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/permits/000000000000"),
        ("PATCH", "/v1/permits/000000000000"),
        ("PUT", "/v1/permits"),
        ("PUT", "/v1/verifications"),
        ("POST", "/healthz"),
    ],
)
def test_a_method_that_does_not_exist_there(http, method, path):
    """405 with Allow."""
    answer = http.request(method, path)

    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"]
    assert method not in answer.headers["Allow"]


def test_an_unknown_permit(registrar):
    """404 with a code of its own."""
    assert_problem(registrar.get("/v1/permits/000000000000"), 404, "UNKNOWN_PERMIT")


def test_a_refusal_names_everything_missing(registrar, application):
    """``missing`` is a list, in a fixed order."""
    body = application(ground=None, residence_registered_on=None)

    answer = registrar.post("/v1/permits", body)

    assert_problem(answer, 409, "NOT_ELIGIBLE", "missing")
    assert ["residence_registered_six_months", "ground"] == answer.json()["missing"]


def test_a_command_that_is_too_early_names_the_date(at, issue, registrar):
    """``opens`` is a date."""
    at("2026-06-01")
    number = issue(issued_on="2026-01-05")["permit_number"]

    answer = registrar.post(f"/v1/permits/{number}/endorsements", {"card_presented": "card"})

    assert_problem(answer, 409, "TOO_EARLY", "opens")
    assert "2026-12-05" == answer.json()["opens"]


def test_all_implausible_fields_are_named_at_once(registrar, application):
    """From the person to the address."""
    body = application()
    body["holder"] |= {"name": "Smith", "sex": "7", "ethnicity": "99"}
    body["holder"]["citizen_id_number"] = "990000199001010018"
    body["residence"] = {"division": "999999", "address": ""}

    answer = registrar.post("/v1/permits", body)

    assert_problem(answer, 422, "INVALID_CITIZEN_ID", "errors")
    assert {
        "holder.name": "INVALID_REQUEST",
        "holder.sex": "INVALID_REQUEST",
        "holder.ethnicity": "INVALID_REQUEST",
        "holder.citizen_id_number": "INVALID_CITIZEN_ID",
        "residence.division": "INVALID_REQUEST",
        "residence.address": "INVALID_REQUEST",
    } == {error["field"]: error["code"] for error in answer.json()["errors"]}


def test_all_malformed_fields_are_named_at_once(registrar, application):
    """Missing, unknown and of a wrong type."""
    body = application(issued_on="someday", surprise=1)
    del body["residence"], body["holder"]["name"]

    answer = registrar.post("/v1/permits", body)

    assert_problem(answer, 422, "INVALID_REQUEST", "errors")
    fields = {error["field"] for error in answer.json()["errors"]}
    assert {"holder.name", "residence", "issued_on"} <= fields
    assert 4 == len(answer.json()["errors"])


def test_the_list_of_errors_is_bounded(registrar, application):
    """A thousand unknown fields do not make a long response."""
    answer = registrar.post("/v1/permits", application(**{f"x{n}": n for n in range(1000)}))

    assert 422 == answer.status_code
    assert len(answer.json()["errors"]) <= 20


def test_an_old_version_is_refused(subtests, registrar, read, issue):
    """412, and nothing changes; a weak tag never matches. RFC 9110 §13.1.1"""
    for if_match in [
        *('"3"', 'W/"3"', 'W/"1"', '"0"', '"999999999"', '"01"', '"x"', '""', '"1,2"', '"1-"'),
        *('"98", "99"', 'W/"1", "99"', '"9" , W/"1" ,, "8"', '"*"', '"1-UPPER"', '"-1"'),
    ]:
        with subtests.test(if_match=if_match):
            permit = issue()
            path = f"/v1/permits/{permit['permit_number']}/loss-reports"

            assert_problem(registrar.post(path, if_match=if_match), 412, "CONFLICT")
            assert 1 == read(permit)["version"]


def test_the_current_version_or_any_is_accepted(subtests, registrar, issue):
    """Of a list, one match suffices (RFC 9110 §13.1.1)."""
    for if_match in [
        *('"1"', "*", "1", '"99", "1"', '"1","99"', ', "1" ,', 'W/"1", "1"', '"a,b", "1"'),
        *('"1-use_suspended"', '"99",\t"1"'),
    ]:
        with subtests.test(if_match=if_match):
            path = f"/v1/permits/{issue()['permit_number']}/loss-reports"

            assert 200 == registrar.post(path, if_match=if_match).status_code


def test_several_lines_of_one_header_form_one_list(subtests, http, registrar, issue):
    """RFC 9110 §5.3."""
    for lines in [['"99"', '"1"'], ['"1"', '"99"'], ["", '"1"'], ['"98", "99"', '"1"']]:
        with subtests.test(lines=lines):
            path = f"/v1/permits/{issue()['permit_number']}/loss-reports"
            headers = [*registrar.headers.items(), *(("If-Match", line) for line in lines)]

            assert 200 == http.post(path, json={}, headers=headers).status_code


def test_an_invalid_list_of_versions_is_refused(subtests, registrar, read, issue):
    """422 in no time, also where a list can be read in many ways; and nothing changes."""
    for if_match in [
        *('"1"' + ", " * 400 + "!", '"1" \t,' * 150 + "!"),
        *("", ",", "one", '"1', '1"', "-1", '"1" and more', '"1" "2"', '"1"; "2"', '"' * 400),
        *("*, *", '*, "1"', '"1", *', 'w/"1"', 'W/ "1"', "W/1", "1, 2", '"1\t"', '"1",' * 400),
    ]:
        with subtests.test(if_match=if_match):
            permit = issue()
            path = f"/v1/permits/{permit['permit_number']}/loss-reports"

            assert_problem(registrar.post(path, if_match=if_match), 422, "INVALID_REQUEST")
            assert 1 == read(permit)["version"]


def test_a_problem_carries_the_correlation_id(registrar):
    """For support."""
    headers = {"x_correlation_id": "a-question"}

    answer = registrar.post("/v1/permits", {}, **headers)

    assert (422, "a-question") == (answer.status_code, answer.headers["X-Correlation-ID"])


def test_a_problem_is_json_without_escapes_of_its_own(registrar, issue):
    """UTF-8 throughout."""
    answer = registrar.post(f"/v1/permits/{issue()['permit_number']}/reissues")

    assert_problem(answer, 409, "NOT_REPORTED_LOST")
    assert json.loads(answer.content.decode("utf-8"))["code"] == "NOT_REPORTED_LOST"


def test_too_many_events_in_a_day_are_told_when_to_go_on():
    """429 until midnight in Shanghai."""
    evening = datetime(2026, 1, 5, 23, 50, tzinfo=SHANGHAI)

    answer = problems.of(Request({"type": "http", "headers": []}), TooManyToday(evening))

    assert (429, "600") == (answer.status_code, answer.headers["Retry-After"])
    assert "RATE_LIMITED" == json.loads(answer.body)["code"]
