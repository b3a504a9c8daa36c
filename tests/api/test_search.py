"""POST /v1/permits/searches: a person's permits by citizen number."""

import pytest


@pytest.fixture
def search(registrar):
    """``search(number, position)``: what the registrar finds, once the views are at the
    position."""

    def ask(citizen_id_number, position):
        body = {"citizen_id_number": citizen_id_number}
        answer = registrar.post(f"/v1/permits/searches?min_position={position}", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def test_a_person_is_found_by_citizen_number(registrar, application, search):
    """The whole permit, as of a position that is not before it."""
    person = application()
    permit = registrar.post("/v1/permits", person).json()

    found = search(person["holder"]["citizen_id_number"], permit["as_of_position"])

    [one] = found["permits"]
    assert permit == {**one, "as_of_position": permit["as_of_position"]}
    assert permit["as_of_position"] <= found["as_of_position"] == one["as_of_position"]


def test_a_lower_case_x_finds_the_same_person(registrar, application, search):
    """The case of the check character does not matter."""
    person = application()
    while not person["holder"]["citizen_id_number"].endswith("X"):
        person = application()
    permit = registrar.post("/v1/permits", person).json()

    found = search(person["holder"]["citizen_id_number"].lower(), permit["as_of_position"])

    assert [permit["permit_number"]] == [one["permit_number"] for one in found["permits"]]


def test_all_of_a_persons_permits_are_found_the_open_one_first(registrar, act, application, search):
    """Ended ones can still be found."""
    person = application()
    numbers = []
    for _ in range(3):
        permit = registrar.post("/v1/permits", person).json()
        numbers.append(permit["permit_number"])
        if len(numbers) < 3:
            act(permit["permit_number"], "cancellations", reason="moved_away")

    found = search(person["holder"]["citizen_id_number"], permit["as_of_position"])

    assert set(numbers) == {one["permit_number"] for one in found["permits"]}
    assert (numbers[-1], "in_force") == (
        found["permits"][0]["permit_number"],
        found["permits"][0]["status"],
    )


def test_a_person_without_a_permit_is_not_found(registrar, application):
    """The list is empty."""
    body = {"citizen_id_number": application()["holder"]["citizen_id_number"]}

    answer = registrar.post("/v1/permits/searches", body)

    assert (200, []) == (answer.status_code, answer.json()["permits"])


def test_an_invalid_number_is_refused(subtests, registrar):
    """An empty list would mean that the person has no permit; the reason says what to correct."""
    for number in [
        "990000199001019999",
        "99000019900101001",
        "990000900101001",
        "810000199001010011",
        "990000199001\t010017",
        "990000199001010017\u200b",
        "",
        " ",
        "nobody",
        "%",
        "'; --",
    ]:
        with subtests.test(number=number):
            answer = registrar.post("/v1/permits/searches", {"citizen_id_number": number})

            assert (422, "INVALID_CITIZEN_ID") == (answer.status_code, answer.json()["code"])
            [error] = answer.json()["errors"]
            assert ("citizen_id_number", True) == (error["field"], bool(error["reason"]))


def test_a_number_is_found_as_it_is_typed(subtests, registrar, application):
    """Spaces, hyphens and full-width digits are normalised."""
    for spelling in [
        lambda n: f" {n[:6]} {n[6:14]} {n[14:]} ",
        lambda n: f"{n[:6]}-{n[6:14]}-{n[14:]}",
        lambda n: "".join(chr(ord(c) + 0xFEE0) for c in n),
        lambda n: f"{n[:6]}\u00a0{n[6:14]}\u2003{n[14:]}",
    ]:
        with subtests.test(spelling=spelling):
            person = application()
            permit = registrar.post("/v1/permits", person).json()
            number = spelling(person["holder"]["citizen_id_number"])

            answer = registrar.post("/v1/permits/searches", {"citizen_id_number": number})

            assert [permit["permit_number"]] == [
                one["permit_number"] for one in answer.json()["permits"]
            ]


def test_the_database_holds_only_a_keyed_digest_of_the_number(
    service, registrar, application, search
):
    """In the search view and in the index of holders."""
    person = application()
    position = registrar.post("/v1/permits", person).json()["as_of_position"]
    number = person["holder"]["citizen_id_number"]
    assert 1 == len(search(number, position)["permits"])

    for table in ("views.permit_search", "ledger.holders"):
        rows = service.rows(f"SELECT t::text FROM {table} AS t")
        assert rows
        assert not [row for row in rows if number in row[0] or number.encode().hex() in row[0]]


def test_a_search_needs_a_number(subtests, registrar):
    """A missing, null or overlong number is invalid, and is not repeated."""
    for body in [{}, {"citizen_id_number": None}, {"citizen_id_number": "1" * 41}]:
        with subtests.test(body=body):
            answer = registrar.post("/v1/permits/searches", body)

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
            assert "1" * 41 not in answer.text
