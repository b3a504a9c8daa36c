"""The counter for first identity cards over HTTP: acceptance, stages, handover."""

from datetime import date

from domain.id_cards import receipt_number
from tests.api.id_card_fixtures import IN_PERSON, PATH, WAY, refused


def test_an_application_is_accepted(at, registrar, brought):
    """The response has everything for the applicant."""
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


def test_an_application_passes_every_stage(accept, step, progress):
    """Each is shown by the progress."""
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


def test_a_refusal_has_its_code(subtests, registrar, brought):
    """409, with what is missing."""
    for changes, code in [
        ({"ever_held_id_card": True}, "NOT_FIRST"),
        ({"temporary_card_requested": True}, "NOT_AVAILABLE"),
        ({"commitment_signed": False}, "COMMITMENT_MISSING"),
        ({"materials": []}, "MATERIALS_MISSING"),
    ]:
        with subtests.test(changes=changes, code=code):
            problem = refused(registrar.post(PATH, brought(**changes)))
            assert code == problem["code"]
            assert ("MISSING" in code) == ("missing" in problem)


def test_another_province_is_refused(registrar, brought):
    """Its own code."""
    body = brought()
    body["applicant"]["hukou_province"] = "11"
    assert "NOT_INTERPROVINCIAL" == refused(registrar.post(PATH, body))["code"]


def test_a_childs_refusal_names_everything_that_is_missing(registrar, brought, application):
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


def test_bad_input_is_422(subtests, registrar, brought):
    """Before any rule."""
    for change in [
        {"materials": ["passport"]},
        {"collection": {"method": "pigeon"}},
        {"commitment_signed": "yes"},
        {"applicant": {}},
        {"fee": 3},
    ]:
        with subtests.test(change=change):
            assert (
                "INVALID_REQUEST" == refused(registrar.post(PATH, brought(**change)), 422)["code"]
            )


def test_an_impossible_number_is_named(registrar, brought):
    """As for a permit."""
    body = brought()
    body["applicant"]["citizen_id_number"] = "990000199001010018"
    assert "INVALID_CITIZEN_ID" == refused(registrar.post(PATH, body), 422)["code"]


def test_a_step_out_of_order_is_refused(accept, step):
    """The problem names the current stage."""
    application = accept()
    problem = refused(step(application, "productions"))
    assert ("WRONG_STAGE", "accepted") == (problem["code"], problem["stage"])
    assert 200 == step(application, "withdrawals").status_code
    assert "withdrawn" == refused(step(application, "dispatches"))["stage"]


def test_only_the_counter_sees_the_reason_of_a_return(accept, step, progress, registrar):
    """It is neither in the progress nor in the stored response."""
    application = accept()
    step(application, "dispatches")
    answer = step(application, "returns", reason="欧阳的照片不符")

    assert "returned" == answer.json()["stage"] == progress(application).json()["stage"]
    assert "照片" not in answer.text + progress(application).text
    file = registrar.get(f"{PATH}/{application['receipt_number']}").json()
    assert ("欧阳的照片不符", "欧阳测试") == (file["return_reason"], file["applicant"]["name"])
    assert 422 == step(application, "returns").status_code


def test_a_card_is_handed_over_only_after_every_step(arrived, step):
    """The refusal names all missing steps."""
    application = arrived()
    problem = refused(step(application, "collections", by="applicant", signed=True))
    assert "COLLECTION_INCOMPLETE" == problem["code"]
    assert ["receipt_shown", "details_checked", "fingerprint_checked"] == problem["missing"]
    assert (
        "COLLECTION_NOT_AS_CHOSEN"
        == refused(step(application, "collections", **{**IN_PERSON, "by": "mail"}))["code"]
    )
    assert 200 == step(application, "collections", **IN_PERSON).status_code


def test_an_agent_collects_if_that_was_chosen(arrived, step):
    """With their own card, the receipt and a signature."""
    application = arrived(collection={"method": "agent"})
    agent = {"name": "测代办", "citizen_id_number": "990000199001010025"}
    body = {"by": "agent", "receipt_shown": True, "signed": True}
    assert ["agent"] == refused(step(application, "collections", **body))["missing"]
    hidden = {**body, "agent": {**agent, "id_card_shown": False}}
    assert ["agent"] == refused(step(application, "collections", **hidden))["missing"]
    answer = step(application, "collections", **body, agent=agent)
    assert ("collected", "agent") == (answer.json()["stage"], answer.json()["collected_by"])


def test_the_card_is_mailed_if_that_was_chosen(arrived, step):
    """Without anyone at the counter."""
    application = arrived(collection={"method": "mail"})
    assert "collected" == step(application, "collections", by="mail").json()["stage"]


def test_a_retry_gets_the_first_response(registrar, brought):
    """One receipt for one application, however often it is sent."""
    body = brought()
    first, again = (registrar.post(PATH, body, idempotency_key="card-1") for _ in range(2))
    assert first.content == again.content
    assert "true" == again.headers["Idempotency-Replayed"]
    other = registrar.post(PATH, brought(), idempotency_key="card-1")
    assert "IDEMPOTENCY_KEY_REUSED" == refused(other, 422)["code"]


def test_a_repeated_step_with_its_key_is_a_retry(accept, registrar):
    """The stored response is returned, not a refusal."""
    path = f"{PATH}/{accept()['receipt_number']}/dispatches"
    first, again = (registrar.post(path, idempotency_key=f"k{path}") for _ in range(2))
    assert (200, 200) == (first.status_code, again.status_code)
    assert first.content == again.content
    assert 409 == registrar.post(path).status_code


def test_an_old_version_is_412(accept, registrar):
    """As for permits."""
    path = f"{PATH}/{accept()['receipt_number']}/dispatches"
    assert 412 == registrar.post(path, if_match='"2"').status_code
    assert 200 == registrar.post(path, if_match='"1"').status_code


def test_of_many_concurrent_steps_one_is_taken(accept, registrar, together):
    """One event."""
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
    """The two registers share no identifier."""
    person = application()
    permit = registrar.post("/v1/permits", person).json()
    body = brought()
    body["applicant"].update(citizen_id_number=person["holder"]["citizen_id_number"])
    assert permit["holder_id"] != registrar.post(PATH, body).json()["holder_id"]
