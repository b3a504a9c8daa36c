"""POST /v1/permits/{n}/endorsements: one more year for both tracks (签注). P6-P11."""

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


@pytest.mark.parametrize("day", ["2025-04-01", "2026-02-27"])
def test_p06_too_early_says_when_the_window_opens(at, registrar, read, permit, day):
    """Nothing changes until then."""
    at(day)

    path = f"/v1/permits/{permit['permit_number']}/endorsements"

    answer = registrar.post(path, CARD)

    assert (409, "TOO_EARLY") == (answer.status_code, answer.json()["code"])
    assert "2026-02-28" == answer.json()["opens"]
    assert 1 == read(permit)["version"]


@pytest.mark.parametrize("day", ["2026-02-28", "2026-03-15", "2026-03-30"])
def test_p07_in_the_window_both_tracks_extend_in_one_event(at, act, service, number, day):
    """A year from the anniversary, not from the visit."""
    at(day)

    permit = act(number, "endorsements", **CARD)

    assert ("2025-03-31", "2027-03-30", 1) == (
        permit["anchor"],
        permit["valid_until"],
        permit["endorsements"],
    )
    assert {"opens": "2027-02-28", "closes": "2027-03-30"} == permit["endorsement_window"]
    assert 2 == permit["version"]
    assert "on_time" == service.event(permit["as_of_position"])["kind"]


def test_p08_twice_is_one_event(at, act, number):
    """The second answer is the first one's: same version, same position."""
    at("2026-03-01")

    first, second = act(number, "endorsements", **CARD), act(number, "endorsements", **CARD)

    assert first == second
    assert 2 == second["version"]


def test_p09_a_lost_card_is_reissued_first(at, act, registrar, number):
    """Then the receipt of the reissue counts as the card, in one visit."""
    at("2026-03-01")
    act(number, "loss-reports")

    refused = registrar.post(f"/v1/permits/{number}/endorsements", CARD)
    assert (409, "REISSUE_FIRST") == (refused.status_code, refused.json()["code"])

    act(number, "reissues")
    assert "2027-03-30" == act(number, "endorsements", **RECEIPT)["valid_until"]


def test_p09_a_receipt_needs_a_reissue(at, registrar, number):
    """Nobody has a receipt for a card that was never made again."""
    at("2026-03-01")

    answer = registrar.post(f"/v1/permits/{number}/endorsements", RECEIPT)

    assert (409, "REISSUE_FIRST") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("day", "kind", "anchor", "valid_until"),
    [
        ("2026-03-31", "in_grace", "2025-03-31", "2027-03-30"),
        ("2026-04-30", "in_grace", "2025-03-31", "2027-03-30"),
        ("2026-05-01", "re_anchored", "2026-05-01", "2027-04-30"),
    ],
)
def test_p10_overdue_is_suspended_until_endorsed(
    at, act, read, service, permit, day, kind, anchor, valid_until
):
    """Within the grace days the anchor stays; later the years start again."""
    at(day)
    overdue = read(permit)
    assert ("use_suspended", False) == (overdue["status"], overdue["physical"]["effective"])

    cured = act(permit["permit_number"], "endorsements", **CARD)

    assert ("in_force", True) == (cured["status"], cured["physical"]["effective"])
    assert (anchor, valid_until) == (cured["anchor"], cured["valid_until"])
    assert kind == service.event(cured["as_of_position"])["kind"]


def test_suspension_needs_no_event(at, read, permit):
    """The last valid day passes, and the same version reads otherwise."""
    at("2026-03-30T23:59:00+08:00")
    last_day = read(permit)
    at("2026-03-31T00:01:00+08:00")
    next_day = read(permit)

    assert ("in_force", "use_suspended") == (last_day["status"], next_day["status"])
    assert last_day["version"] == next_day["version"] == 1


def test_p11_after_the_end_there_is_nothing_to_endorse(at, act, registrar, number):
    """A cancelled permit stays cancelled."""
    at("2026-03-01")
    act(number, "cancellations", reason="renounced")

    answer = registrar.post(f"/v1/permits/{number}/endorsements", CARD)

    assert (409, "PERMIT_ENDED") == (answer.status_code, answer.json()["code"])


def test_leap_day_comes_back(at, act, issue):
    """Anchored on 29 February, a fourth year ends on 28 February 2028."""
    at("2024-02-29")
    number = issue(issued_on="2024-02-29")["permit_number"]
    ends = []
    for year in (2025, 2026, 2027, 2028):
        at(f"{year}-02-10")
        ends.append(act(number, "endorsements", **CARD)["valid_until"])

    assert ["2026-02-27", "2027-02-27", "2028-02-28", "2029-02-27"] == ends


@pytest.mark.parametrize("presented", ["passport", "", None, 1])
def test_something_else_than_a_card_is_bad_input(registrar, number, presented):
    """The field takes the two values of the contract."""
    body = {"card_presented": presented}

    answer = registrar.post(f"/v1/permits/{number}/endorsements", body)

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
