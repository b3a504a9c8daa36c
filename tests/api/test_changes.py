"""Changes of address and corrections of identity. P25, P26.

The rules themselves are tested in tests/domain/test_change.py.
"""

import pytest

MOVED = {"residence": {"division": "320281", "address": "江阴市示例路9号"}}


@pytest.fixture
def number(at, issue):
    at("2026-06-01")
    return issue()["permit_number"]


@pytest.fixture
def faces(read):
    """``faces(permit)``: what both tracks show once they have seen it."""
    return lambda permit: [read(permit, track) for track in ("/physical", "/electronic")]


def test_p25_a_move_inside_the_province_is_shown_on_both_tracks(act, faces, service, number):
    """The same permit with the new address; in time, so without a warning."""
    permit = act(number, "address-changes", **MOVED, moved_on="2026-05-22")

    assert [MOVED["residence"]] * 2 == [face["residence"] for face in faces(permit)]
    assert (2, "in_force") == (permit["version"], permit["status"])
    assert service.event(permit["as_of_position"])["reported_late"] is False


def test_an_unchanged_address_appends_no_event(act, number):
    """White space around it is ignored."""
    first = act(number, "address-changes", **MOVED, moved_on="2026-05-30")
    spaced = {**MOVED["residence"], "address": f" {MOVED['residence']['address']} "}

    assert first == act(number, "address-changes", residence=spaced, moved_on="2026-05-30")


def test_p25_a_refused_division_is_named_with_a_hint(registrar, number):
    """For a dissolved one, the division that it is part of now."""
    body = {"residence": {"division": "320202", "address": "示例路1号"}, "moved_on": "2026-05-30"}

    answer = registrar.post(f"/v1/permits/{number}/address-changes", body)

    assert 422 == answer.status_code
    [error] = answer.json()["errors"]
    assert "residence.division" == error["field"]
    assert "320213" in error["reason"]


def test_a_future_move_is_refused(registrar, number):
    """Not the day before."""
    body = {**MOVED, "moved_on": "2026-06-02"}

    answer = registrar.post(f"/v1/permits/{number}/address-changes", body)

    assert (422, "moved_on") == (answer.status_code, answer.json()["errors"][0]["field"])


def test_p26_a_corrected_name_makes_the_card_outdated(act, faces, check, number):
    """Both tracks show the new name; the old card is not effective until a new one is issued."""
    permit = act(number, "identity-corrections", name="欧阳更正")

    assert ["欧阳更正"] * 2 == [face["name"] for face in faces(permit)]
    assert faces(permit)[0]["identity_stale"] is True
    assert permit["physical"]["effective"] is False
    assert "identity_stale" == check(number, 1)["reason"]

    act(number, "replacements", reason="details_changed", old_card_returned=True)
    assert ("effective", "欧阳更正") == (
        check(number, 2)["outcome"],
        check(number, 2)["permit"]["name"],
    )


def test_p26_another_household_address_does_not_outdate_the_card(act, faces, check, number):
    """A check compares only name and number."""
    permit = act(number, "identity-corrections", hukou_address="安徽省黄山市示例街2号")

    assert ["安徽省黄山市示例街2号"] * 2 == [face["hukou_address"] for face in faces(permit)]
    assert "effective" == check(number, 1)["outcome"]


def test_p26_a_corrected_number_replaces_the_former_one(registrar, act, application):
    """The person is found by the new number only, and the former one gets no permit."""
    person, other = application(), application()
    number = registrar.post("/v1/permits", person).json()["permit_number"]
    new = other["holder"]["citizen_id_number"]

    position = act(number, "identity-corrections", citizen_id_number=new)["as_of_position"]

    def found(citizen_id_number):
        body = {"citizen_id_number": citizen_id_number}
        answer = registrar.post(f"/v1/permits/searches?min_position={position}", body)
        return [permit["permit_number"] for permit in answer.json()["permits"]]

    assert ([number], []) == (found(new), found(person["holder"]["citizen_id_number"]))
    assert "ALREADY_HOLDS_PERMIT" == registrar.post("/v1/permits", other).json()["code"]
    barred = registrar.post("/v1/permits", person).json()
    assert "ALREADY_HOLDS_PERMIT" == barred["code"]
    assert "corrected" in barred["detail"]


def test_p02_a_number_cannot_be_corrected_into_another_holders(registrar, application):
    """One person would have two permits: refused by that rule, not as a conflict."""
    person, other = application(), application()
    number = registrar.post("/v1/permits", person).json()["permit_number"]
    registrar.post("/v1/permits", other)
    body = {"citizen_id_number": other["holder"]["citizen_id_number"]}

    answer = registrar.post(f"/v1/permits/{number}/identity-corrections", body)

    assert (409, "ALREADY_HOLDS_PERMIT") == (answer.status_code, answer.json()["code"])


def test_a_correction_names_a_field(registrar, number):
    """Without one it is invalid."""
    for body in ({}, {"name": None}):
        answer = registrar.post(f"/v1/permits/{number}/identity-corrections", body)
        assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"]), body
