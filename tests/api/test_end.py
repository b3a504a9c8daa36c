"""Cancelling (注销) and voiding: both tracks end at once, history stays. P23, P24."""

import pytest

ACTS = {
    "endorsements": {"card_presented": "card"},
    "loss-reports": {},
    "loss-lifts": {},
    "reissues": {},
    "replacements": {"reason": "damaged", "old_card_returned": True},
    "card-deliveries": {},
    "address-changes": {
        "residence": {"division": "320211", "address": "示例路2号"},
        "moved_on": "2026-01-06",
    },
    "identity-corrections": {"name": "欧阳更正"},
    "cancellations": {"reason": "renounced"},
    "voidings": {"finding": "forged lease"},
}


@pytest.fixture
def permit(issue):
    return issue()


@pytest.fixture
def claimed(permit, holder_of, claim_body):
    """A permit that is also on a phone."""
    path = f"/v1/permits/{permit['permit_number']}/electronic/claims"
    return holder_of(permit).post(path, claim_body()).json()


@pytest.mark.parametrize("reason", ["moved_away", "local_hukou", "deceased", "renounced"])
def test_p23_cancelled_ends_both_tracks_at_once(act, check, claimed, reason):
    """One event; neither track is effective any more."""
    permit = act(claimed["permit_number"], "cancellations", reason=reason)

    assert ("ended", claimed["version"] + 1) == (permit["status"], permit["version"])
    assert {"card_serial": 1, "status": "ended", "effective": False} == permit["physical"]
    ended = {"status": "ended", "card_serial": 1, "effective": False, "devices": 1}
    assert ended == permit["electronic"]
    assert "ended" == check(permit["permit_number"])["reason"]


def test_p24_voided_from_discovery(act, service, check, claimed):
    """The finding is on the event; what was answered before stays as it was answered."""
    number = claimed["permit_number"]
    before = check(number)

    permit = act(number, "voidings", finding="forged lease")

    assert ("voided", "ended", "ended") == (
        permit["status"],
        permit["physical"]["status"],
        permit["electronic"]["status"],
    )
    assert "forged lease" == service.event(permit["as_of_position"])["finding"]
    assert ("effective", "voided") == (before["outcome"], check(number)["reason"])
    query = "SELECT outcome FROM ledger.checks WHERE check_id = %s"
    assert [("effective",)] == service.rows(query, before["check_id"])


@pytest.mark.parametrize("what", ACTS)
@pytest.mark.parametrize("ending", ["cancellations", "voidings"])
def test_nothing_more_happens_after_the_end(act, read, registrar, permit, ending, what):
    """Every act is refused, a second end included; the version stays."""
    number = permit["permit_number"]
    ended = act(number, ending, **ACTS[ending])

    answer = registrar.post(f"/v1/permits/{number}/{what}", ACTS[what])

    assert (409, "PERMIT_ENDED") == (answer.status_code, answer.json()["code"])
    assert ended["version"] == read(ended)["version"]


def test_an_ended_permit_is_not_claimed(act, permit, holder_of, claim_body):
    """Nor shown on one more phone."""
    act(permit["permit_number"], "cancellations", reason="renounced")
    path = f"/v1/permits/{permit['permit_number']}/electronic/claims"

    answer = holder_of(permit).post(path, claim_body())

    assert (409, "PERMIT_ENDED") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("ending", ["cancellations", "voidings"])
def test_p23_who_returns_gets_a_new_permit(act, read, registrar, application, ending):
    """Another number for the same holder; the old one stays ended."""
    person = application()
    first = registrar.post("/v1/permits", person).json()
    act(first["permit_number"], ending, **ACTS[ending])

    second = registrar.post("/v1/permits", person)

    assert 201 == second.status_code
    assert first["permit_number"] != second.json()["permit_number"]
    assert first["holder_id"] == second.json()["holder_id"]
    old = read({**first, "as_of_position": second.json()["as_of_position"]})
    assert {"cancellations": "ended", "voidings": "voided"}[ending] == old["status"]


@pytest.mark.parametrize(
    ("ending", "body"),
    [
        ("cancellations", {"reason": "bored"}),
        ("cancellations", {}),
        ("voidings", {"finding": ""}),
        ("voidings", {"finding": "   "}),
        ("voidings", {"finding": "x" * 2001}),
        ("voidings", {}),
    ],
)
def test_an_end_without_its_reason_is_bad_input(registrar, read, permit, ending, body):
    """And nothing ends."""
    answer = registrar.post(f"/v1/permits/{permit['permit_number']}/{ending}", body)

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
    assert "in_force" == read(permit)["status"]
