"""Many concurrent callers, of whom only one can succeed: exactly one does."""

from collections import Counter
from itertools import chain
from threading import Event
from uuid import uuid4

import pytest

TURNS = 10
"""So often is a race run that is lost now and then."""

LOST = ("loss-reports", "reissues")


def outcomes(answers):
    return Counter((answer.status_code, answer.json().get("code")) for answer in answers)


def test_p02_of_32_applications_of_one_person_one_wins(together, registrar, application):
    """All others are refused: this person holds a permit."""
    person = application()

    answers = together(32, lambda _: registrar.post("/v1/permits", person))

    assert {(201, None): 1, (409, "ALREADY_HOLDS_PERMIT"): 31} == outcomes(answers)


def test_of_16_writers_with_the_same_version_one_wins(together, registrar, issue):
    """All others get a conflict."""
    path = f"/v1/permits/{issue()['permit_number']}/replacements"
    body = {"reason": "office_error", "old_card_returned": True}

    answers = together(16, lambda _: registrar.post(path, body, if_match='"1"'))

    assert {(200, None): 1, (412, "CONFLICT"): 15} == outcomes(answers)


@pytest.mark.parametrize("turn", range(TURNS))
def test_16_issues_under_one_key_are_one(service, together, registrar, application, turn):
    """One event, and all get the same bytes."""
    body, key = application(), str(uuid4())
    [(head,)] = service.rows("SELECT position FROM ledger.head")

    answers = together(16, lambda _: registrar.post("/v1/permits", body, idempotency_key=key))

    assert {(201, None): 16} == outcomes(answers)
    assert 1 == len({answer.content for answer in answers})
    assert [(head + 1,)] == service.rows("SELECT position FROM ledger.head")


@pytest.mark.parametrize("if_match", [{}, {"if_match": '"2"'}])
@pytest.mark.parametrize("turn", range(TURNS))
def test_16_reissues_under_one_key_are_one(together, registrar, act, issue, turn, if_match):
    """With and without a version; none is refused for a missing loss report."""
    number, key = issue()["permit_number"], str(uuid4())
    act(number, "loss-reports")
    path = f"/v1/permits/{number}/reissues"

    answers = together(16, lambda _: registrar.post(path, idempotency_key=key, **if_match))

    assert {(200, None): 16} == outcomes(answers)
    assert 1 == len({answer.content for answer in answers})


def test_serials_grow_by_one_with_every_reissue(service, together, registrar, issue):
    """Sixteen clients report the loss and reissue concurrently."""
    number = issue()["permit_number"]

    def work(which):
        what = LOST[which % 2]
        return [registrar.post(f"/v1/permits/{number}/{what}") for _ in range(10)]

    answers = [answer for some in together(16, work) for answer in some]

    expected = {(200, None), (409, "NOT_REPORTED_LOST"), (409, "CONFLICT")}
    assert outcomes(answers).keys() <= expected
    events = service.rows(
        "SELECT version, topic, convert_from(state, 'UTF8')::json ->> 'card_serial'"
        " FROM ledger.events WHERE stream = %s ORDER BY version",
        number,
    )
    assert list(range(1, len(events) + 1)) == [version for version, _, _ in events]
    serials = [int(serial) for _, topic, serial in events if "reissued" in topic]
    assert serials
    assert list(range(2, len(serials) + 2)) == serials


def test_every_acknowledged_write_has_a_version_of_its_own(together, registrar, issue):
    """No write without If-Match is lost."""
    path = f"/v1/permits/{issue()['permit_number']}/replacements"
    body = {"reason": "office_error", "old_card_returned": True}

    answers = together(16, lambda _: [registrar.post(path, body) for _ in range(3)])

    won = [a.json() for some in answers for a in some if a.status_code == 200]
    assert len(won) >= 16
    versions = sorted(permit["version"] for permit in won)
    assert list(range(2, len(won) + 2)) == versions
    assert all(permit["physical"]["card_serial"] == permit["version"] for permit in won)


def test_p15_at_no_position_do_the_tracks_disagree(together, act, read, issue):
    """While cards are replaced, both tracks have the same serial at every position."""
    permit, done = issue(), Event()

    def replace():
        body = {"reason": "office_error", "old_card_returned": True}
        try:
            for _ in range(40):
                act(permit["permit_number"], "replacements", **body)
        finally:
            done.set()

    def watch(track):
        seen = []
        while not done.is_set():
            view = read(permit, track)
            seen.append((view["as_of_position"], view["card_serial"]))
        return seen

    tracks = ("/physical", "/electronic") * 2
    _, *seen = together(5, lambda n: watch(tracks[n - 1]) if n else replace())

    serials = {}
    for position, serial in chain.from_iterable(seen):
        assert serials.setdefault(position, serial) == serial
    assert len(set(serials.values())) > 1
