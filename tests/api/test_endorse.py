"""POST /v1/permits/{n}/endorsements: one more year for both tracks (签注). P6-P11.

The rules themselves are tested in tests/domain/test_endorse.py.
"""

import pytest

CARD = {"card_presented": "card"}
RECEIPT = {"card_presented": "reissue_receipt"}


@pytest.fixture
def permit(at, issue):
    """With the anchor 2025-03-31: its window is 2026-02-28 … 2026-03-30."""
    at("2025-03-31")
    return issue(issued_on="2025-03-31")


@pytest.fixture
def number(permit):
    return permit["permit_number"]


def test_p07_an_endorsement_adds_a_year(at, act, service, number):
    """The response has the new term, and the event its kind."""
    at("2026-03-15")

    permit = act(number, "endorsements", **CARD)

    assert ("2025-03-31", "2027-03-30", 1) == (
        permit["anchor"],
        permit["valid_until"],
        permit["endorsements"],
    )
    assert {"opens": "2027-02-28", "closes": "2027-03-30"} == permit["endorsement_window"]
    assert 2 == permit["version"]
    assert "on_time" == service.event(permit["as_of_position"])["kind"]


def test_p06_a_refusal_names_the_day_when_the_window_opens(at, registrar, read, permit):
    """The permit is unchanged."""
    at("2026-02-27")

    answer = registrar.post(f"/v1/permits/{permit['permit_number']}/endorsements", CARD)

    assert (409, "TOO_EARLY") == (answer.status_code, answer.json()["code"])
    assert "2026-02-28" == answer.json()["opens"]
    assert 1 == read(permit)["version"]


def test_p08_an_endorsement_that_changes_nothing_returns_the_first_position(at, act, number):
    """No event is appended, and the permit is returned as of its last one."""
    at("2026-03-01")

    first, second = act(number, "endorsements", **CARD), act(number, "endorsements", **CARD)

    assert first == second


def test_p09_the_receipt_of_a_reissue_is_accepted(at, act, number):
    """The other value of ``card_presented``."""
    at("2026-03-01")
    act(number, "loss-reports")
    act(number, "reissues")

    assert "2027-03-30" == act(number, "endorsements", **RECEIPT)["valid_until"]


def test_p10_a_view_shows_the_suspension_without_an_event(at, act, read, permit):
    """The year ends, and the same version reads differently; an endorsement restores it."""
    at("2026-03-30T23:59:00+08:00")
    last_day = read(permit)
    at("2026-03-31T00:01:00+08:00")
    next_day = read(permit)

    assert ("in_force", "use_suspended") == (last_day["status"], next_day["status"])
    assert last_day["version"] == next_day["version"] == 1
    assert "in_force" == read(act(permit["permit_number"], "endorsements", **CARD))["status"]


def test_other_values_than_those_of_the_contract_are_invalid(registrar, number):
    """422 for each."""
    for presented in ("passport", "", None, 1):
        body = {"card_presented": presented}
        answer = registrar.post(f"/v1/permits/{number}/endorsements", body)
        assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"]), presented
