"""Cancelling (注销) and voiding: both tracks end at once, history stays. P23, P24.

The rules themselves are tested in tests/domain/test_end.py.
"""

import pytest

from tests.api.phones import claim

ENDINGS = {
    "cancellations": ({"reason": "renounced"}, "ended"),
    "voidings": ({"finding": "forged lease"}, "voided"),
}


@pytest.fixture
def permit(issue):
    return issue()


@pytest.fixture
def claimed(permit, holder_of):
    """A permit that is also on a phone."""
    return claim(holder_of(permit), permit["permit_number"]).json()


def test_p23_a_cancellation_ends_both_tracks_at_once(act, check, claimed):
    """One event; neither track is effective afterwards."""
    permit = act(claimed["permit_number"], "cancellations", reason="moved_away")

    assert ("ended", claimed["version"] + 1) == (permit["status"], permit["version"])
    assert {"card_serial": 1, "status": "ended", "effective": False} == permit["physical"]
    ended = {"status": "ended", "card_serial": 1, "effective": False, "devices": 1}
    assert ended == permit["electronic"]
    assert "ended" == check(permit["permit_number"])["reason"]


def test_p23_all_reasons_of_the_contract_are_accepted(act, issue):
    """Each ends a permit."""
    for reason in ("moved_away", "local_hukou", "deceased", "renounced"):
        ended = act(issue()["permit_number"], "cancellations", reason=reason)
        assert "ended" == ended["status"], reason


def test_p24_a_voiding_is_effective_from_discovery(act, service, check, claimed):
    """The finding is on the event; earlier answers stay on record as they were."""
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


@pytest.mark.parametrize("ending", ENDINGS)
def test_p23_every_command_on_an_ended_permit_is_refused(
    act, read, registrar, permit, holder_of, ending
):
    """From registrar and holder; the version is unchanged."""
    number = permit["permit_number"]
    ended = act(number, ending, **ENDINGS[ending][0])
    residence = {"division": "320211", "address": "示例路2号"}
    acts = {
        "endorsements": {"card_presented": "card"},
        "loss-reports": {},
        "loss-lifts": {},
        "reissues": {},
        "replacements": {"reason": "damaged", "old_card_returned": True},
        "card-deliveries": {},
        "address-changes": {"residence": residence, "moved_on": "2026-01-06"},
        "identity-corrections": {"name": "欧阳更正"},
        **{name: body for name, (body, _) in ENDINGS.items()},
    }

    answers = {
        what: registrar.post(f"/v1/permits/{number}/{what}", body) for what, body in acts.items()
    }
    answers["claims"] = claim(holder_of(permit), number)

    assert dict.fromkeys(answers, (409, "PERMIT_ENDED")) == {
        what: (answer.status_code, answer.json()["code"]) for what, answer in answers.items()
    }
    assert ended["version"] == read(ended)["version"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_p23_the_former_holder_gets_a_new_permit(act, read, registrar, application, ending):
    """Another number for the same holder; the old one stays ended."""
    person = application()
    first = registrar.post("/v1/permits", person).json()
    body, status = ENDINGS[ending]
    act(first["permit_number"], ending, **body)

    second = registrar.post("/v1/permits", person)

    assert 201 == second.status_code
    assert first["permit_number"] != second.json()["permit_number"]
    assert first["holder_id"] == second.json()["holder_id"]
    assert status == read({**first, "as_of_position": second.json()["as_of_position"]})["status"]


def test_an_end_without_its_reason_is_invalid(registrar, read, permit):
    """No permit ends."""
    for ending, body in (
        ("cancellations", {"reason": "bored"}),
        ("cancellations", {}),
        ("voidings", {"finding": ""}),
        ("voidings", {"finding": "   "}),
        ("voidings", {"finding": "x" * 2001}),
        ("voidings", {}),
    ):
        answer = registrar.post(f"/v1/permits/{permit['permit_number']}/{ending}", body)
        assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"]), body
    assert "in_force" == read(permit)["status"]
