"""Why a field is refused: in words for people, whatever pydantic's own message."""

import re

from pydantic import TypeAdapter, ValidationError
from pydantic_core._pydantic_core import list_all_errors  # the only list that there is

from api.audit import schemas as audit_schemas
from api.checks import schemas as check_schemas
from api.http.fields import RequestBody
from api.http.reasons import UNACCEPTABLE, field_error, reason_of
from api.id_cards import schemas as id_card_schemas
from api.operations import development
from api.permits import schemas

WRONG = [
    *(
        None,
        0,
        -1,
        10**9,
        1.5,
        1e400,
        True,
        "",
        "x",
        "x" * 100_000,
        "\t",
        "1899-12-31",
        "2100-01-01",
    ),
    *("2026-02-30", "2026-01-01T00:00:00Z", "A" * 44, "居住证", [], ["x"] * 60, {}, {"track": "x"}),
    *({"track": "physical"}, {"x": 1}, {"d": "x"}, b"x"),
]
NOT_FOR_PEOPLE = re.compile(
    r"Input|Value error|should|pydantic|dictionary|instance|JSON decode|None|NaN|[\[\]{}<>\\^]"
)


FROM_1900 = "a date from 1900 on is expected"


def bodies(kind=RequestBody):
    """Every kind of body, and what lies in them."""
    for each in kind.__subclasses__():
        yield each
        yield from bodies(each)


BODIES = [*bodies(), schemas.DeviceKeyBody]


def errors_of(kind, value):
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        return error.errors()
    return []


def errors():
    for kind in [*BODIES, check_schemas.CheckBody]:
        for wrong in WRONG:
            yield from errors_of(kind, wrong)
    for body in BODIES:
        for field in body.model_fields:
            for wrong in WRONG:
                yield from errors_of(body, {field: wrong})


def test_every_kind_of_body_is_found():
    """Of the registrar, the counter, the holder, the verifier and of development mode."""
    modules = {each.__module__ for each in BODIES}
    sources = (schemas, check_schemas, audit_schemas, id_card_schemas, development)
    assert {each.__name__ for each in sources} <= modules


def test_every_possible_error_of_a_body_has_a_reason():
    """Every field of every body with every wrong value: no reason is the fallback, contains an
    identifier of the program, or repeats what was sent."""
    found = {error["type"]: field_error(error)["reason"] for error in errors()}

    assert len(found) > 15
    assert {} == {kind: said for kind, said in found.items() if said == UNACCEPTABLE}
    assert {} == {kind: said for kind, said in found.items() if NOT_FOR_PEOPLE.search(said)}


def test_pydantics_other_errors_have_a_reason_too():
    """For fields that may be added later."""
    reasons = {
        kind["type"]: reason_of(kind["type"], kind.get("example_context") or {})
        for kind in list_all_errors()
    }
    assert {} == {kind: said for kind, said in reasons.items() if NOT_FOR_PEOPLE.search(said)}


def test_reasons_are_short(subtests):
    """The counter can show them unchanged."""
    for kind, context, expected in [
        ("missing", {}, "required"),
        ("extra_forbidden", {}, "unknown field"),
        ("greater_than_equal", {"ge": "datetime.date(1900, 1, 1)"}, "this value is out of bounds"),
        ("less_than", {"lt": 7}, "less than 7 is expected"),
        ("greater_than_equal", {"ge": 1}, "at least 1 is expected"),
        ("enum", {"expected": "'a', 'b' or 'c'"}, "must be one of a, b, c"),
        ("literal_error", {"expected": "'EC'"}, "must be EC"),
        ("string_too_short", {"min_length": 1}, "must not be empty"),
        ("value_error", {"error": ValueError("a date is expected")}, "a date is expected"),
        ("json_invalid", {"error": "Expecting value"}, "a JSON document in UTF-8 is expected"),
    ]:
        with subtests.test(kind=kind, context=context, expected=expected):
            assert expected == reason_of(kind, context)


def test_each_invalid_field_has_its_reason(subtests, registrar, application):
    """Field by field."""
    for changes, field, reason in [
        ({"birth_date": "1899-12-31"}, "holder.birth_date", FROM_1900),
        ({"birth_date": "2100-01-01"}, "holder.birth_date", "a date before 2100 is expected"),
        ({"birth_date": 5}, "holder.birth_date", "a date is expected, as in 2026-01-05"),
        ({"name": 5}, "holder.name", "text is expected"),
        ({"portrait": "%%%"}, "holder.portrait", "base64 is expected (RFC 4648 §4)"),
        ({"portrait": "居住证"}, "holder.portrait", "base64 is expected (RFC 4648 §4)"),
        ({"portrait": "AAAA"}, "holder.portrait", "a portrait is a whole JPEG or PNG file"),
        ({"nickname": "x"}, "holder", "unknown field"),
    ]:
        with subtests.test(changes=changes, field=field, reason=reason):
            body = application()
            body["holder"] |= changes

            answer = registrar.post("/v1/permits", body)

            assert 422 == answer.status_code
            assert {(field, reason)} == {(e["field"], e["reason"]) for e in answer.json()["errors"]}
            assert f"{field}: {reason}" == answer.json()["detail"]


def test_an_invalid_member_of_a_union_is_named(verifier):
    """As the caller wrote it: the field's name does not contain the branch of the union."""
    card = {"scenario": "patrol_inspection", "permit_number": "x", "card_serial": 0}

    def reasons_of(**changes):
        answer = verifier.post("/v1/verifications", {**card, **changes})
        return [(e["field"], e["reason"]) for e in answer.json()["errors"]]

    assert [("card_serial", "at least 1 is expected")] == reasons_of(track="physical")
    assert [("track", "must be one of physical, electronic")] == reasons_of(track="telepathic")
    assert [("track", "required")] == reasons_of()
