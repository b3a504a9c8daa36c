"""POST /v1/permits: issuing a permit (办证). P1-P5.

The rules themselves are tested in tests/domain/test_issue.py.
"""

from datetime import date

import pytest

NOW = "2026-11-23"


def test_a_new_permit_comes_with_both_tracks_and_one_validity(at, registrar, application):
    """The answer is the permit in the contract's shape, at the position of its event."""
    at(NOW)

    answer = registrar.post("/v1/permits", application(issued_on="2026-01-05"))

    assert 201 == answer.status_code
    permit = answer.json()
    assert {
        "permit_number": permit["permit_number"],
        "holder_id": permit["holder_id"],
        "version": 1,
        "status": "in_force",
        "anchor": "2026-01-05",
        "valid_from": "2026-01-05",
        "valid_until": "2027-01-04",
        "endorsement_window": {"opens": "2026-12-05", "closes": "2027-01-04"},
        "endorsements": 0,
        "personal_data": "held",
        "physical": {"card_serial": 1, "status": "issued", "effective": True},
        "electronic": {"status": "unclaimed", "card_serial": 1, "effective": False, "devices": 0},
        "as_of_position": int(answer.headers["Ledger-Position"]),
    } == permit
    assert '"1"' == answer.headers["ETag"]


def test_the_event_names_officer_station_and_policy(at, service, caller, application):
    """Officer and station of the token, the fee, and a card due within 15 days. P5"""
    at(NOW)
    registrar = caller("registrar", station="320213-07")

    permit = registrar.post("/v1/permits", application(issued_on="2026-11-20")).json()

    event = service.event(permit["as_of_position"])
    assert ("registrar@development", "320213-07") == (event["actor"], event["station"])
    assert ("wuxi-2026.1", 0) == (event["policy_version"], event["fee_yuan"])
    assert "2026-12-05" == event["card_due_on"]


@pytest.mark.parametrize(
    ("instant", "day"),
    [("2026-03-01T00:30:00+08:00", "2026-03-01"), ("2026-02-28T23:30:00+08:00", "2026-02-28")],
)
def test_today_is_the_date_in_shanghai(at, issue, instant, day):
    """The default day of issue is today there, whatever the date in UTC."""
    at(instant)

    assert day == issue()["anchor"]


def test_p01_a_refusal_names_everything_that_is_missing(registrar, application):
    """The refusal names the residence, the ground and the guardian."""
    child = application(birth_date=date(2015, 1, 1), ground=None, residence_registered_on=None)

    answer = registrar.post("/v1/permits", child)

    assert 409 == answer.status_code
    assert "NOT_ELIGIBLE" == answer.json()["code"]
    missing = ["residence_registered_six_months", "ground", "guardian"]
    assert missing == answer.json()["missing"]


def test_p01_every_ground_of_the_contract_is_accepted(issue):
    """Work, a home or a school."""
    for ground in ("employment", "dwelling", "schooling"):
        assert "in_force" == issue(ground=ground)["status"], ground


def test_p02_one_person_holds_one_permit(registrar, application):
    """The second application is refused."""
    person = application()
    registrar.post("/v1/permits", person)

    answer = registrar.post("/v1/permits", person)

    assert (409, "ALREADY_HOLDS_PERMIT") == (answer.status_code, answer.json()["code"])


def test_p02_a_lower_case_x_is_the_same_person(service, registrar, application):
    """The check character is accepted in both cases and stored as X."""
    person = application()
    while not person["holder"]["citizen_id_number"].endswith("X"):
        person = application()
    person["holder"]["citizen_id_number"] = person["holder"]["citizen_id_number"].lower()
    issued = registrar.post("/v1/permits", person).json()
    person["holder"]["citizen_id_number"] = person["holder"]["citizen_id_number"].upper()

    again = registrar.post("/v1/permits", person)

    assert "ALREADY_HOLDS_PERMIT" == again.json()["code"]
    kept = service.event(issued["as_of_position"])["identity"]["citizen_id_number"]
    assert person["holder"]["citizen_id_number"] == kept


def test_p03_the_guardian_is_recorded(service, issue, application):
    """With a name and a number of their own."""
    number = application()["holder"]["citizen_id_number"]
    guardian = {"name": "欧阳示例", "citizen_id_number": number}

    permit = issue(birth_date=date(2015, 1, 1), guardian=guardian)

    assert guardian == service.event(permit["as_of_position"])["guardian"]


def test_p04_a_number_that_contradicts_other_fields_is_refused(registrar, application):
    """With the field named."""
    person = application()
    person["holder"]["birth_date"] = "1990-01-02"

    answer = registrar.post("/v1/permits", person)

    assert (422, "INVALID_CITIZEN_ID") == (answer.status_code, answer.json()["code"])
    assert ["holder.citizen_id_number"] == [error["field"] for error in answer.json()["errors"]]


def test_a_future_date_of_issue_is_refused(at, registrar, application):
    """Tomorrow's date is invalid."""
    at(NOW)

    answer = registrar.post("/v1/permits", application(issued_on="2026-11-24"))

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
    assert ["issued_on"] == [error["field"] for error in answer.json()["errors"]]
