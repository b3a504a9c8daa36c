"""The counter for first identity cards, over HTTP."""

from datetime import date

import pytest

from domain import permit_number
from domain.id_cards import receipt_number
from tests.api.orders import ERASURE, ORDER

PATH = "/v1/id-card-applications"
WAY = ["dispatches", "approvals", "productions", "arrivals"]
IN_PERSON = {
    "by": "applicant",
    "receipt_shown": True,
    "details_checked": True,
    "fingerprint_checked": True,
    "signed": True,
}


@pytest.fixture
def brought(application):
    """``brought(**changes)``: a grown-up's papers, all in order; a new person each time."""

    def brought(**changes):
        holder = application()["holder"]
        applicant = {
            name: holder[name]
            for name in ("name", "sex", "ethnicity", "birth_date", "citizen_id_number")
        }
        return {
            "applicant": {**applicant, "hukou_province": "31"},
            "materials": ["household_register", "employment_proof"],
            "commitment_signed": True,
            "ever_held_id_card": False,
            "collection": {"method": "in_person"},
            **changes,
        }

    return brought


@pytest.fixture
def accept(registrar, brought):
    """``accept(**changes)``: the answer's body."""

    def accept(**changes):
        answer = registrar.post(PATH, brought(**changes))
        assert answer.status_code == 201, answer.text
        return answer.json()

    return accept


@pytest.fixture
def step(registrar):
    """``step(application, "dispatches", **body)``: whatever the answer is."""

    def step(application, what, **body):
        return registrar.post(f"{PATH}/{application['receipt_number']}/{what}", body)

    return step


@pytest.fixture
def arrived(accept, step):
    """``arrived(**changes)``: a card that waits."""

    def arrived(**changes):
        application = accept(**changes)
        for what in WAY:
            assert step(application, what).status_code == 200
        return application

    return arrived


@pytest.fixture
def progress(http):
    """``progress(application)``: what anybody with the receipt is told, without a token."""

    def progress(application, **parameters):
        return http.get(f"{PATH}/{application['receipt_number']}/progress", params=parameters)

    return progress


def refused(answer, status=409):
    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]
    return answer.json()


def test_an_application_is_accepted(at, registrar, brought):
    """With everything that the person at the counter is told."""
    at("2026-09-14")
    answer = registrar.post(PATH, brought(proofs_without_photo=["employment_proof"]))
    body = answer.json()

    assert 201 == answer.status_code
    assert {
        "stage": "accepted",
        "due_date": "2026-10-16",
        "due_date_provisional": False,
        "fee_yuan": 0,
        "card_term_years": 20,
        "accepted_by": "320211-01",
        "personal_data": "held",
    }.items() <= body.items()
    assert receipt_number.is_valid(body["receipt_number"])
    assert str(body["as_of_position"]) == answer.headers["Ledger-Position"]
    assert '"1"' == answer.headers["ETag"]
    assert ["PROOF_WITHOUT_PHOTO"] == [one["code"] for one in body["advice"]]


def test_from_the_counter_to_the_hand(accept, step, progress):
    """Every stage, as the receipt's holder is told of it; nothing is asked twice of the views."""
    application = accept()
    seen = [progress(application).json()["stage"]]
    for what in WAY:
        assert 200 == step(application, what).status_code
        seen.append(progress(application).json()["stage"])
    assert "collected" == step(application, "collections", **IN_PERSON).json()["stage"]
    seen.append(progress(application).json()["stage"])
    assert [
        *("accepted", "sent_to_hukou_police", "approved", "produced", "arrived", "collected")
    ] == seen


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ever_held_id_card": True}, "NOT_FIRST"),
        ({"temporary_card_requested": True}, "NOT_AVAILABLE"),
        ({"commitment_signed": False}, "COMMITMENT_MISSING"),
        ({"materials": []}, "MATERIALS_MISSING"),
    ],
)
def test_a_refusal_has_its_code(registrar, brought, changes, code):
    """409, with what is missing."""
    problem = refused(registrar.post(PATH, brought(**changes)))
    assert code == problem["code"]
    assert ("MISSING" in code) == ("missing" in problem)


def test_another_province_is_refused(registrar, brought):
    """Its own code."""
    body = brought()
    body["applicant"]["hukou_province"] = "11"
    assert "NOT_INTERPROVINCIAL" == refused(registrar.post(PATH, body))["code"]


def test_a_child_without_a_guardian_hears_all_that_is_missing(registrar, brought, application):
    """At once."""
    holder = application(birth_date=date(2014, 3, 5))["holder"]
    body = brought(materials=["household_register", "employment_proof"])
    body["applicant"].update(birth_date="2014-03-05", citizen_id_number=holder["citizen_id_number"])
    problem = refused(registrar.post(PATH, body))

    assert "GUARDIAN_REQUIRED" == problem["code"]
    assert [
        "guardian",
        "guardian_id_card",
        "guardian_household_register",
        "study_proof|residence_proof",
    ] == problem["missing"]
    body["guardian"] = {"name": "测试", "citizen_id_number": "990000199001010025"}
    body["materials"] += ["study_proof", "guardian_id_card", "guardian_household_register"]
    assert 5 == registrar.post(PATH, body).json()["card_term_years"]


@pytest.mark.parametrize(
    "change",
    [
        {"materials": ["passport"]},
        {"collection": {"method": "pigeon"}},
        {"commitment_signed": "yes"},
        {"applicant": {}},
        {"fee": 3},
    ],
)
def test_bad_input_is_422(registrar, brought, change):
    """Before any rule."""
    assert "INVALID_REQUEST" == refused(registrar.post(PATH, brought(**change)), 422)["code"]


def test_a_number_that_can_not_be_is_told_as_such(registrar, brought):
    """As for a permit."""
    body = brought()
    body["applicant"]["citizen_id_number"] = "990000199001010018"
    assert "INVALID_CITIZEN_ID" == refused(registrar.post(PATH, body), 422)["code"]


def test_a_step_out_of_order_is_refused(accept, step):
    """It says where the application is."""
    application = accept()
    problem = refused(step(application, "productions"))
    assert ("WRONG_STAGE", "accepted") == (problem["code"], problem["stage"])
    assert 200 == step(application, "withdrawals").status_code
    assert "withdrawn" == refused(step(application, "dispatches"))["stage"]


def test_a_return_says_why_to_the_counter_only(accept, step, progress, registrar):
    """Not to whoever has the receipt, and not in the answer that is kept."""
    application = accept()
    step(application, "dispatches")
    answer = step(application, "returns", reason="欧阳的照片不符")

    assert "returned" == answer.json()["stage"] == progress(application).json()["stage"]
    assert "照片" not in answer.text + progress(application).text
    file = registrar.get(f"{PATH}/{application['receipt_number']}").json()
    assert ("欧阳的照片不符", "欧阳测试") == (file["return_reason"], file["applicant"]["name"])
    assert 422 == step(application, "returns").status_code


def test_a_card_is_handed_over_when_all_is_done(arrived, step):
    """What is left to do is told at once."""
    application = arrived()
    problem = refused(step(application, "collections", by="applicant", signed=True))
    assert "COLLECTION_INCOMPLETE" == problem["code"]
    assert ["receipt_shown", "details_checked", "fingerprint_checked"] == problem["missing"]
    assert (
        "COLLECTION_NOT_AS_CHOSEN"
        == refused(step(application, "collections", **{**IN_PERSON, "by": "mail"}))["code"]
    )
    assert 200 == step(application, "collections", **IN_PERSON).status_code


def test_an_agent_collects_where_that_was_chosen(arrived, step):
    """With the own card, the receipt and a signature."""
    application = arrived(collection={"method": "agent"})
    agent = {"name": "测代办", "citizen_id_number": "990000199001010025"}
    body = {"by": "agent", "receipt_shown": True, "signed": True}
    assert ["agent"] == refused(step(application, "collections", **body))["missing"]
    hidden = {**body, "agent": {**agent, "id_card_shown": False}}
    assert ["agent"] == refused(step(application, "collections", **hidden))["missing"]
    answer = step(application, "collections", **body, agent=agent)
    assert ("collected", "agent") == (answer.json()["stage"], answer.json()["collected_by"])


def test_the_mail_brings_it_where_that_was_chosen(arrived, step):
    """Nobody stands at the counter."""
    application = arrived(collection={"method": "mail"})
    assert "collected" == step(application, "collections", by="mail").json()["stage"]


def test_a_retry_gets_the_first_answer(registrar, brought):
    """One receipt for one application, however often it is sent."""
    body = brought()
    first, again = (registrar.post(PATH, body, idempotency_key="card-1") for _ in range(2))
    assert first.content == again.content
    assert "true" == again.headers["Idempotency-Replayed"]
    other = registrar.post(PATH, brought(), idempotency_key="card-1")
    assert "IDEMPOTENCY_KEY_REUSED" == refused(other, 422)["code"]


def test_a_step_that_is_repeated_under_its_key_is_no_step_out_of_order(accept, registrar):
    """Whoever lost the answer asks again."""
    path = f"{PATH}/{accept()['receipt_number']}/dispatches"
    first, again = (registrar.post(path, idempotency_key=f"k{path}") for _ in range(2))
    assert (200, 200) == (first.status_code, again.status_code)
    assert first.content == again.content
    assert 409 == registrar.post(path).status_code


def test_a_version_that_is_gone_is_412(accept, registrar):
    """As for permits."""
    path = f"{PATH}/{accept()['receipt_number']}/dispatches"
    assert 412 == registrar.post(path, if_match='"2"').status_code
    assert 200 == registrar.post(path, if_match='"1"').status_code


def test_of_many_at_once_one_step_is_taken(accept, registrar, together):
    """Nobody dispatches twice."""
    path = f"{PATH}/{accept()['receipt_number']}/dispatches"
    codes = together(8, lambda _: registrar.post(path).status_code)
    assert [200, *[409] * 7] == sorted(codes)


def test_the_same_person_may_apply_again(registrar, brought, step):
    """Also while another application is open; both are the same holder's."""
    body = brought()
    first, second = (registrar.post(PATH, body).json() for _ in range(2))
    assert first["receipt_number"] != second["receipt_number"]
    assert first["holder_id"] == second["holder_id"]


def test_a_permits_holder_is_not_known_as_an_applicant(registrar, application, brought):
    """The two registers have nothing in common by which somebody could put them together."""
    person = application()
    permit = registrar.post("/v1/permits", person).json()
    body = brought()
    body["applicant"].update(citizen_id_number=person["holder"]["citizen_id_number"])
    assert permit["holder_id"] != registrar.post(PATH, body).json()["holder_id"]


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
    """Wrong, made up, or a permit's number: all look the same."""
    number = accept()["receipt_number"]
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    nobodys = receipt_number.draw(lambda k: 2**k // 3)
    answers = [
        http.get(f"{PATH}/{one}/progress")
        for one in (wrong, nobodys, issue()["permit_number"], "x", number.lower())
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
    """By the same means; what is left tells of nobody, and the key is gone."""
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


def test_asking_over_and_over_is_stopped(http, accept):
    """The address has to wait; by then others have been served."""
    path = f"{PATH}/{accept()['receipt_number']}/progress"
    with http.stream("GET", path):
        pass
    statuses = {http.get(path).status_code for _ in range(130)}
    assert {200, 429} == statuses | {200}
    answer = http.get(path)
    assert ("RATE_LIMITED", True) == (
        answer.json()["code"],
        int(answer.headers["Retry-After"]) >= 1,
    )
