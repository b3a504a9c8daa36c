"""A read after an acknowledged write shows it, whatever the projector does."""

import signal
from contextlib import contextmanager

import pytest

from tests.api.id_card_fixtures import KNOWN, PATH

VIEWS = ["", "/physical", "/electronic"]


@pytest.fixture
def registrar(battered):
    return battered.caller("registrar")


@contextmanager
def stopped(role):
    """A projector that is suspended."""
    role.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        role.send_signal(signal.SIGCONT)


def positions(answer):
    return int(answer.headers["Ledger-Position"]), int(answer.headers["Ledger-Head"])


def test_a_permit_is_fresh_while_the_projector_is_suspended(battered, registrar, application):
    """Both tracks, the permit and the holder's own, on connections that have not seen the write; a
    permit that is in no view yet is found as well."""
    known = registrar.post("/v1/permits", application()).json()
    with stopped(battered.role("project")):
        new = registrar.post("/v1/permits", application()).json()
        registrar.post(f"/v1/permits/{known['permit_number']}/loss-reports")
        found = registrar.post(f"/v1/permits/{known['permit_number']}/loss-lifts").json()
        for permit in (new, found):
            reader = battered.caller("registrar")
            holder = battered.caller("holder", holder_id=permit["holder_id"])
            answers = [reader.get(f"/v1/permits/{permit['permit_number']}{v}") for v in VIEWS]
            answers.append(holder.get("/v1/me/permit"))

            assert [200] * 4 == [answer.status_code for answer in answers]
            assert [permit["version"]] * 4 == [answer.json()["version"] for answer in answers]
            for answer in answers:
                shown, head = positions(answer)
                assert permit["as_of_position"] <= shown == head == answer.json()["as_of_position"]
        face = answers[1].json()
    assert face == {
        **registrar.get(f"/v1/permits/{permit['permit_number']}/physical").json(),
        "as_of_position": face["as_of_position"],
    }


def test_an_eventual_read_returns_the_views_as_they_are(battered, registrar, application):
    """They are behind the log, and the response says so."""
    permit = registrar.post("/v1/permits", application()).json()
    path = f"/v1/permits/{permit['permit_number']}"
    assert 200 == registrar.get(path).status_code
    with stopped(battered.role("project")):
        registrar.post(f"{path}/loss-reports")

        answer = registrar.get(path, consistency="eventual")

    assert 1 == answer.json()["version"]
    shown, head = positions(answer)
    assert shown < head
    assert 422 == registrar.get(path, consistency="whenever").status_code


def test_a_search_waits_briefly_and_returns_the_view(battered, registrar, application):
    """It has the newest permit while the projector works, and does not fail while it is
    suspended."""
    person = application()
    permit = registrar.post("/v1/permits", person).json()
    body = {"citizen_id_number": person["holder"]["citizen_id_number"]}
    found = registrar.post("/v1/permits/searches", body)
    assert [permit["permit_number"]] == [one["permit_number"] for one in found.json()["permits"]]

    with stopped(battered.role("project")):
        registrar.post("/v1/permits", application())
        behind = registrar.post("/v1/permits/searches", body)

    assert 200 == behind.status_code
    shown, head = positions(behind)
    assert shown == behind.json()["as_of_position"] == head - 1


def test_progress_is_fresh_while_the_projector_is_suspended(battered, registrar, brought):
    """An application for an identity card is folded from its own events as well."""
    with stopped(battered.role("project")):
        receipt = registrar.post(PATH, brought()).json()["receipt_number"]
        registrar.post(f"{PATH}/{receipt}/dispatches")

        answer = registrar.get(f"{PATH}/{receipt}/progress", **KNOWN)

    assert (200, "sent_to_hukou_police") == (answer.status_code, answer.json()["stage"])


def test_a_list_links_to_its_next_page(battered, registrar, application):
    """RFC 8288, with the other parameters kept; none at the end."""
    permit = registrar.post("/v1/permits", application()).json()
    verifier = battered.caller("verifier")
    for _ in range(3):
        verifier.post(
            "/v1/verifications",
            {
                "scenario": "patrol_inspection",
                "track": "physical",
                "permit_number": permit["permit_number"],
                "card_serial": 1,
            },
        )
    holder = battered.caller("holder", holder_id=permit["holder_id"])

    first = holder.get("/v1/me/checks", limit=2)
    second = holder.http.get(first.links["next"]["url"], headers=holder.headers)

    assert "next" == first.links["next"]["rel"]
    seen = [check["position"] for page in (first, second) for check in page.json()["checks"]]
    assert sorted(seen, reverse=True) == seen
    assert 3 == len(set(seen))
    assert {} == second.links
