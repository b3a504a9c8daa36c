"""Applications for identity cards: what each role may read; data protection."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from domain import permit_number
from domain.id_cards import receipt_number
from tests.api.id_card_fixtures import PATH, WAY, refused
from tests.api.orders import ERASURE, ORDER
from tests.waiting import until

WAIT_S = 180


def test_progress_tells_nothing_of_the_person(accept, progress):
    """Stage and due date, and no more."""
    assert {
        "receipt_number",
        "stage",
        "stage_since",
        "due_date",
        "due_date_provisional",
        "as_of_position",
    } == set(progress(accept()).json())


def test_a_receipt_that_is_none_is_404(http, accept, issue):
    """A wrong, a made-up and a permit's number get the same response."""
    number = accept()["receipt_number"]
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    nobodys = receipt_number.draw(lambda k: 2**k // 3)
    answers = [
        http.get(f"{PATH}/{one}/progress")
        for one in (wrong, nobodys, issue()["permit_number"], "x")
    ]
    assert {(404, "UNKNOWN_APPLICATION")} == {
        (one.status_code, one.json()["code"]) for one in answers
    }


def test_an_application_is_no_permit_and_a_permit_no_application(
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


def test_december_of_the_last_published_year(at, accept):
    """The date is a guess, and says so."""
    at("2026-12-15")
    assert accept()["due_date_provisional"]


def test_the_work_list_goes_by_the_date(at, caller, brought, step, accept):
    """What is due soon today is overdue later, without anything having run."""
    station = "320281-09"
    officer = caller("registrar", station=station)
    at("2026-09-14")
    late = officer.post(PATH, brought()).json()
    waits = officer.post(PATH, brought()).json()
    for what in WAY:
        step(waits, what)
    elsewhere = accept()

    def lists(day, **parameters):
        at(day)
        position = elsewhere["as_of_position"]
        found = officer.get(PATH, min_position=position, **parameters).json()
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
    everywhere = lists("2026-10-17", station="all")
    assert elsewhere["receipt_number"] in everywhere["overdue"]


def test_the_counts_are_of_every_stage(registrar, accept, step):
    """For statistics."""
    before = registrar.get(f"{PATH}/counts").json()["stages"]
    position = step(accept(), "withdrawals").json()["as_of_position"]
    after = registrar.get(f"{PATH}/counts", min_position=position).json()["stages"]
    assert 8 == len(after)
    assert before["withdrawn"] + 1 == after["withdrawn"]


def test_an_applicant_is_restricted_and_erased_like_a_holder(
    accept, step, progress, investigator, registrar, service
):
    """With the same endpoints; nothing personal is left, and the key is destroyed."""
    application = accept()
    path = f"/v1/audit/holders/{application['holder_id']}"
    file = f"{PATH}/{application['receipt_number']}"

    assert 200 == investigator.post(f"{path}/restrictions", ORDER).status_code
    assert "HOLDER_RESTRICTED" == refused(step(application, "dispatches"))["code"]
    assert (None, "restricted") == (
        (told := registrar.get(file).json())["applicant"],
        told["personal_data"],
    )
    assert 200 == investigator.post(f"{path}/restriction-lifts", ORDER).status_code
    certificate = investigator.post(f"{path}/erasures", ERASURE).json()
    assert [application["receipt_number"]] == certificate["permit_numbers"]
    assert (None, "erased") == (
        (told := registrar.get(file).json())["applicant"],
        told["personal_data"],
    )
    assert "withdrawn" == progress(application).json()["stage"]
    assert [(None,)] == service.rows(
        "SELECT wrapped FROM ledger.holders WHERE holder_id = %s", application["holder_id"]
    )


def test_who_is_restricted_does_not_apply_again(registrar, brought, investigator):
    """The details are kept and not used."""
    body = brought()
    first = registrar.post(PATH, body).json()
    investigator.post(f"/v1/audit/holders/{first['holder_id']}/restrictions", ORDER)
    assert "HOLDER_RESTRICTED" == refused(registrar.post(PATH, body))["code"]


def test_who_was_erased_and_applies_again_is_somebody_new(registrar, brought, investigator):
    """Nothing leads back."""
    body = brought()
    first = registrar.post(PATH, body).json()
    investigator.post(f"/v1/audit/holders/{first['holder_id']}/erasures", ERASURE)
    assert first["holder_id"] != registrar.post(PATH, body).json()["holder_id"]


def test_a_token_without_the_scope_or_a_station_is_refused(signed, brought):
    """Every event names its station."""
    assert 403 == signed(scope="permits:write").post(PATH, brought()).status_code
    without = signed(scope="applications:write", station=None)
    assert without.post(PATH, brought()).status_code in {401, 403}


def test_an_operator_can_settle_due_dates_by_hand(at, service, accept, progress):
    """What the calendar does not know yet stays as it is, and the command says how many."""
    at("2026-12-15")
    application = accept()
    assert progress(application).json()["due_date_provisional"]
    told = service.command("settle-due-dates")
    assert 0 == told.returncode, told.stderr
    assert told.stdout.startswith("0 due dates are final now, ")
    assert "0 provisional" not in told.stdout.partition(",")[2]
    assert progress(application).json()["due_date_provisional"]


def test_asking_over_and_over_is_stopped(http, accept):
    """The address has to wait; by then others have been served."""
    path = f"{PATH}/{accept()['receipt_number']}/progress"
    with http.stream("GET", path):
        pass
    answers: list[httpx.Response] = []

    def is_stopped():
        """Faster than the allowance grows again, however slow the machine is."""
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
