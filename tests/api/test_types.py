"""Values have the types of /openapi.json: none is converted to another."""

from tests.api.phones import claim

NOT_DATES = [631152000, 0, "631152000", "1990-01-01T00:00:00Z", "1990-1-1", "19900101", 1.5, True]
NOT_BOOLEANS = ["yes", "true", "on", 1, 1.0, "1"]
NOT_INTEGERS = ["1", True, 1.5, "one", [1]]


def assert_bad_input(answer, field):
    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json().get("code"))
    assert field in {error["field"].split(".")[-1] for error in answer.json()["errors"]}


def test_a_date_must_be_a_date(subtests, registrar, application):
    """Not a number of seconds, not an instant."""
    for value in NOT_DATES:
        with subtests.test(value=value):
            person = application()
            person["holder"]["birth_date"] = value
            assert_bad_input(registrar.post("/v1/permits", person), "birth_date")

            answer = registrar.post("/v1/permits", application(residence_registered_on=value))
            assert_bad_input(answer, "residence_registered_on")


def test_p19_only_true_is_a_confirmation(subtests, issue, holder_of):
    """Both the holder's own and the identity provider's."""
    for value in NOT_BOOLEANS:
        with subtests.test(value=value):
            permit = issue()
            holder, number = holder_of(permit), permit["permit_number"]
            match = {"provider": "test", "score": 0.97, "matched": value}

            assert_bad_input(claim(holder, number, confirmed=value), "confirmed")
            assert_bad_input(claim(holder, number, face_match=match), "matched")


def test_p15_old_card_returned_must_be_a_boolean(subtests, registrar, issue):
    for value in NOT_BOOLEANS:
        with subtests.test(value=value):
            path = f"/v1/permits/{issue()['permit_number']}/replacements"

            answer = registrar.post(path, {"reason": "damaged", "old_card_returned": value})

            assert_bad_input(answer, "old_card_returned")


def test_a_serial_must_be_an_integer(subtests, verifier, issue):
    """As it is printed on the card."""
    for value in NOT_INTEGERS:
        with subtests.test(value=value):
            number = issue()["permit_number"]
            body = {"scenario": "patrol_inspection", "track": "physical", "permit_number": number}

            answer = verifier.post("/v1/verifications", {**body, "card_serial": value})

            assert_bad_input(answer, "card_serial")


def test_a_text_must_be_a_string(subtests, registrar, application):
    """No number is accepted."""
    for value in [1, 1.0, True, ["320211"], {"code": "320211"}, None]:
        with subtests.test(value=value):
            body = application()
            body["residence"]["division"] = value

            assert_bad_input(registrar.post("/v1/permits", body), "division")


def test_codes_of_a_standard_may_be_numbers(service, registrar, application):
    """As documented: 1 and "1", 1 and "01"."""
    body = application()
    body["holder"] |= {"sex": 1, "ethnicity": 1}

    answer = registrar.post("/v1/permits", body)

    assert 201 == answer.status_code
    identity = service.event(answer.json()["as_of_position"])["identity"]
    assert ("1", "01") == (identity["sex"], identity["ethnicity"])
