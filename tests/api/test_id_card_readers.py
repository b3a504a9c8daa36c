"""Applications for identity cards: what each role may read; data protection."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from domain import permit_number
from domain.id_cards import receipt_number
from tests.api.id_card_fixtures import KNOWN, PATH, WAY, refused
from tests.api.orders import ORDER
from tests.waiting import until

WAIT_S = 180


def test_progress_contains_no_personal_data(accept, progress):
    """Only stage and due date."""
    assert {
        "receipt_number",
        "stage",
        "stage_since",
        "due_date",
        "due_date_provisional",
        "as_of_position",
    } == set(progress(accept()).json())


def test_progress_needs_something_that_is_not_on_a_public_list(subtests, http, accept, brought):
    """The receipt number is in the transparency log. Whoever knows neither birth date nor the end
    of the citizen number gets the answer of an unknown receipt."""
    papers = brought()
    number = papers["applicant"]["citizen_id_number"]
    other = f"{(int(number[-4:-1]) + 1) % 1000:03d}{number[-1]}"
    path = f"{PATH}/{accept(applicant=papers['applicant'])['receipt_number']}/progress"
    for known, status in [
        ({}, 404),
        ({"birth_date": "1990-01-02"}, 404),
        ({"id_last4": other}, 404),
        ({"id_last4": ""}, 404),
        ({"birth_date": "1990-01-01", "id_last4": other}, 404),
        ({"birth_date": "1990-01-02", "id_last4": number[-4:]}, 404),
        ({"birth_date": "1990-01-01"}, 200),
        ({"id_last4": number[-4:]}, 200),
        ({"id_last4": f" {number[-4:].lower()} "}, 200),
        ({"birth_date": "1990-01-01", "id_last4": number[-4:]}, 200),
        ({"birth_date": "yesterday"}, 422),
        ({"birth_date": "631152000"}, 422),
        ({"birth_date": 631152000}, 422),
        ({"id_last4": "0" * 21}, 422),
    ]:
        with subtests.test(known=known):
            answer = http.get(path, params=known)
            assert status == answer.status_code
            if status == 404:
                assert "UNKNOWN_APPLICATION" == answer.json()["code"]


def test_an_applicants_details_cannot_be_guessed(http, accept, progress):
    """After ten wrong ones, in an hour, the right ones are refused as well; other receipts are not
    concerned. A receipt that was never made behaves alike."""
    attacked, other = accept(), accept()
    for number in (attacked["receipt_number"], receipt_number.draw(lambda k: 2**k // 5)):
        path = f"{PATH}/{number}/progress"
        wrong = [http.get(path, params={"id_last4": f"{n:04d}"}) for n in range(9000, 9011)]
        assert [404] * 10 + [429] == [answer.status_code for answer in wrong]

    assert (429, 200) == (progress(attacked).status_code, progress(other).status_code)


def test_guesses_at_the_same_time_are_counted_too(http, accept, together):
    """None passes before another one counts. Right answers cost nothing."""
    path = f"{PATH}/{accept()['receipt_number']}/progress"
    assert {200} == {http.get(path, params=KNOWN).status_code for _ in range(12)}

    wrong = together(30, lambda n: http.get(path, params={"id_last4": f"{n + 9000:04d}"}))

    assert (10, 20) == tuple(
        sum(answer.status_code == status for answer in wrong) for status in (404, 429)
    )


def test_an_unknown_receipt_number_is_404(http, accept, issue):
    """An invalid, an unused and a permit's number get the same response."""
    number = accept()["receipt_number"]
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    nobodys = receipt_number.draw(lambda k: 2**k // 3)
    answers = [
        http.get(f"{PATH}/{one}/progress", params=KNOWN)
        for one in (wrong, nobodys, issue()["permit_number"], "x")
    ]
    assert {(404, "UNKNOWN_APPLICATION")} == {
        (one.status_code, one.json()["code"]) for one in answers
    }


def test_applications_and_permits_are_not_found_as_each_other(
    registrar, verifier, accept, issue, step
):
    """Neither is found under the other's number."""
    application, permit = accept(), issue()
    assert not permit_number.is_valid(application["receipt_number"])
    assert 404 == registrar.get(f"/v1/permits/{application['receipt_number']}").status_code
    assert 404 == step({"receipt_number": permit["permit_number"]}, "dispatches").status_code
    check = {
        "scenario": "patrol_inspection",
        "track": "physical",
        "permit_number": application["receipt_number"],
        "card_serial": 1,
    }
    assert "unknown_permit" == verifier.post("/v1/verifications", check).json()["reason"]


def test_a_due_date_beyond_the_calendar_is_provisional(at, accept):
    """In December of the last published year."""
    at("2026-12-15")
    assert accept()["due_date_provisional"]


def test_the_work_list_depends_on_the_date(at, caller, registrar, brought, step, accept):
    """What is due soon today is overdue later, without any job in between."""
    station = "320281-09"
    officer = caller("registrar", station=station)
    at("2026-09-14")
    late = officer.post(PATH, brought()).json()
    waits = officer.post(PATH, brought()).json()
    for what in WAY:
        assert "OTHER_STATION" == refused(step(waits, what))["code"]
        assert 200 == officer.post(f"{PATH}/{waits['receipt_number']}/{what}", {}).status_code
    elsewhere = accept()

    def lists(day, by=officer):
        at(day)
        found = by.get(PATH, min_position=elsewhere["as_of_position"]).json()
        return {
            name: [one["receipt_number"] for one in found[name]["applications"]]
            for name in ("overdue", "due_soon", "waiting_for_collection")
        }

    receipt, waiting = late["receipt_number"], [waits["receipt_number"]]
    empty = {"overdue": [], "due_soon": [], "waiting_for_collection": waiting}
    assert empty == lists("2026-10-10")
    assert {**empty, "due_soon": [receipt]} == lists("2026-10-11")
    assert {**empty, "due_soon": [receipt]} == lists("2026-10-16")
    assert {**empty, "overdue": [receipt]} == lists("2026-10-17")
    assert elsewhere["receipt_number"] in lists("2026-10-17", by=registrar)["overdue"]


@pytest.mark.parametrize("station", ["all", "320211-01"])
def test_the_work_list_is_the_own_stations_only(caller, station):
    """The parameter that named another station is unknown."""
    assert 422 == caller("registrar", station="320281-09").get(PATH, station=station).status_code


def test_every_stage_is_counted(registrar, accept, step):
    """For statistics."""
    before = registrar.get(f"{PATH}/counts").json()["stages"]
    position = step(accept(), "withdrawals").json()["as_of_position"]
    after = registrar.get(f"{PATH}/counts", min_position=position).json()["stages"]
    assert 8 == len(after)
    assert before["withdrawn"] + 1 == after["withdrawn"]


def test_an_applicant_is_restricted_and_erased_like_a_holder(
    accept, step, progress, investigator, registrar, service, erase
):
    """With the same endpoints; nothing personal is left, and the key is destroyed."""
    application = accept()
    path = f"/v1/audit/holders/{application['holder_id']}"
    file = f"{PATH}/{application['receipt_number']}"

    assert 200 == investigator.post(f"{path}/restrictions", ORDER).status_code
    assert "HOLDER_RESTRICTED" == refused(step(application, "dispatches"))["code"]
    assert 404 == progress(application).status_code  # the birth date is not used
    assert (None, "restricted") == (
        (seen := registrar.get(file).json())["applicant"],
        seen["personal_data"],
    )
    assert 200 == investigator.post(f"{path}/restriction-lifts", ORDER).status_code
    certificate = erase(application)
    assert [application["receipt_number"]] == certificate["permit_numbers"]
    assert (None, "erased") == (
        (seen := registrar.get(file).json())["applicant"],
        seen["personal_data"],
    )
    assert "withdrawn" == seen["stage"]
    assert 404 == progress(application).status_code  # nothing is left to compare with
    assert [(None,)] == service.rows(
        "SELECT wrapped FROM ledger.holders WHERE holder_id = %s", application["holder_id"]
    )


def test_a_restricted_applicant_cannot_apply_again(registrar, brought, investigator):
    """The personal data is kept and not used."""
    body = brought()
    first = registrar.post(PATH, body).json()
    investigator.post(f"/v1/audit/holders/{first['holder_id']}/restrictions", ORDER)
    assert "HOLDER_RESTRICTED" == refused(registrar.post(PATH, body))["code"]


def test_an_erased_applicant_applies_again_as_a_new_person(registrar, brought, erase):
    """Nothing links the two."""
    body = brought()
    first = registrar.post(PATH, body).json()
    erase(first)
    assert first["holder_id"] != registrar.post(PATH, body).json()["holder_id"]


def test_a_token_without_the_scope_or_a_station_is_refused(signed, brought):
    """Every event names its station."""
    assert 403 == signed(scope="permits:write").post(PATH, brought()).status_code
    without = signed(scope="applications:write", station=None)
    assert without.post(PATH, brought()).status_code in {401, 403}


def test_an_operator_can_settle_due_dates_by_hand(at, service, accept, progress):
    """Dates that the calendar does not cover yet stay provisional, and the command reports how
    many."""
    at("2026-12-15")
    application = accept()
    assert progress(application).json()["due_date_provisional"]
    ran = service.command("settle-due-dates")
    assert 0 == ran.returncode, ran.stderr
    assert ran.stdout.startswith("0 due dates are final now, ")
    assert "0 provisional" not in ran.stdout.partition(",")[2]
    assert progress(application).json()["due_date_provisional"]


def test_too_many_requests_are_refused(http, accept):
    """The address has to wait; requests of other addresses are served."""
    path = f"{PATH}/{accept()['receipt_number']}/progress?birth_date=1990-01-01"
    with http.stream("GET", path):
        pass
    answers: list[httpx.Response] = []

    def is_stopped():
        """Send requests faster than the allowance is refilled, however slow the machine is."""
        with ThreadPoolExecutor(8) as eight:
            answers.extend(eight.map(lambda _: http.get(path), range(200)))
        return answers[-1].status_code == 429

    until(is_stopped, wait_s=WAIT_S)
    assert {200, 429} == {answer.status_code for answer in answers}
    answer = answers[-1]
    assert ("RATE_LIMITED", True) == (
        answer.json()["code"],
        int(answer.headers["Retry-After"]) >= 1,
    )
