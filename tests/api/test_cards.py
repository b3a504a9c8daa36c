"""Cards: reported lost, found, reissued, replaced, delivered. P12-P17.

The rules themselves are tested in tests/domain/test_cards.py.
"""

import pytest

from tests.api.phones import claim

DAMAGED = {"reason": "damaged", "old_card_returned": True}


@pytest.fixture
def permit(at, issue):
    at("2026-06-01")
    return issue(issued_on="2026-01-05")


@pytest.fixture
def number(permit):
    return permit["permit_number"]


@pytest.fixture
def claimed(permit, number, holder_of):
    """The number of a permit that is also on a phone."""
    assert 201 == claim(holder_of(permit), number).status_code
    return number


def test_p12_a_lost_card_is_not_effective_and_the_phone_is(act, claimed):
    """Physical reported lost, electronic active."""
    permit = act(claimed, "loss-reports")

    lost = {"card_serial": 1, "status": "reported_lost", "effective": False}
    phone = {"status": "active", "card_serial": 1, "effective": True, "devices": 1}
    assert (lost, phone) == (permit["physical"], permit["electronic"])


def test_p14_a_card_found_before_a_reissue_is_effective_again(act, check, number):
    """The same serial is effective as before."""
    act(number, "loss-reports")

    permit = act(number, "loss-lifts")

    assert {"card_serial": 1, "status": "issued", "effective": True} == permit["physical"]
    assert "effective" == check(number, 1)["outcome"]


def test_p14_a_card_found_after_a_reissue_stays_not_effective(act, registrar, check, number):
    """There is no loss left to lift."""
    act(number, "loss-reports")
    act(number, "reissues")

    answer = registrar.post(f"/v1/permits/{number}/loss-lifts")

    assert (409, "NOT_REPORTED_LOST") == (answer.status_code, answer.json()["code"])
    assert "superseded_card" == check(number, 1)["reason"]
    assert "effective" == check(number, 2)["outcome"]


def test_p15_a_reissue_shows_on_the_phone_in_the_same_instant(act, service, claimed):
    """One event, one more serial on both tracks; the fee is on the event."""
    lost = act(claimed, "loss-reports")

    permit = act(claimed, "reissues")

    assert {"card_serial": 2, "status": "issued", "effective": True} == permit["physical"]
    assert 2 == permit["electronic"]["card_serial"]
    assert lost["version"] + 1 == permit["version"]
    event = service.event(permit["as_of_position"])
    assert (20, "2026-06-16") == (event["fee_yuan"], event["card_due_on"])


def test_p15_a_replacement_is_a_new_card(act, service, claimed):
    """For every reason of the contract; the office's own error costs nothing."""
    replacements = [
        ("damaged", True, 20),
        ("details_changed", False, 20),
        ("office_error", False, 0),
    ]
    for serial, (reason, returned, fee) in enumerate(replacements, 2):
        permit = act(claimed, "replacements", reason=reason, old_card_returned=returned)

        tracks = permit["physical"], permit["electronic"]
        assert [serial] * 2 == [track["card_serial"] for track in tracks], reason
        assert fee == service.event(permit["as_of_position"])["fee_yuan"], reason


def test_p15_a_damaged_card_is_replaced_only_if_it_is_returned(registrar, number):
    """Otherwise the command is refused."""
    body = {"reason": "damaged", "old_card_returned": False}

    answer = registrar.post(f"/v1/permits/{number}/replacements", body)

    assert (409, "OLD_CARD_NOT_RETURNED") == (answer.status_code, answer.json()["code"])


def test_p17_a_reissue_and_a_lift_need_a_loss(registrar, number):
    """Each is refused without one."""
    for what in ("reissues", "loss-lifts"):
        answer = registrar.post(f"/v1/permits/{number}/{what}")
        assert (409, "NOT_REPORTED_LOST") == (answer.status_code, answer.json()["code"]), what


def test_a_card_is_delivered_once(act, read, number):
    """The physical view has the day; a second delivery changes nothing."""
    first, second = act(number, "card-deliveries"), act(number, "card-deliveries")

    assert first == second
    view = read(first, "/physical")
    assert ("2026-06-01", 1) == (view["card_delivered_on"], view["card_serial"])
