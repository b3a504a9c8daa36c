"""P25, P26: moves within the province, and corrections of who the holder is."""

from datetime import date

import pytest

from domain.errors import InvalidDetails
from domain.events import AddressChanged, IdentityCorrected, ReplacementReason
from domain.person import Residence
from domain.verification import Reason, Verdict, verify_card

ISSUED = date(2025, 3, 31)
TODAY = date(2025, 9, 1)
HOME = Residence("320281", "澄江中路2号")


@pytest.fixture
def correct(on, when):
    """``correct(permit, **fields)``: the fields given, the others left."""

    def correct(permit, **fields):
        nothing = dict.fromkeys(("name", "citizen_id_number", "sex", "birth_date", "hukou_address"))
        return when(permit.correct_identity, **{**nothing, **fields}, context=on(TODAY))

    return correct


@pytest.mark.parametrize(
    ("moved_on", "late"),
    [(TODAY, False), (date(2025, 8, 22), False), (date(2025, 8, 21), True), (ISSUED, True)],
)
def test_p25_a_move_within_the_province_keeps_the_permit(given_permit, on, when, moved_on, late):
    """Reported after more than ten days it carries a warning and is not refused."""
    permit = given_permit(ISSUED)
    term, card = permit.term, permit.card

    [event] = when(permit.change_address, HOME, moved_on, on(TODAY))

    assert (AddressChanged, moved_on, late) == (type(event), event.moved_on, event.reported_late)
    assert (HOME, term, card) == (permit.residence, permit.term, permit.card)


@pytest.mark.parametrize(
    ("home", "moved_on", "field"),
    [
        pytest.param(Residence("310101", "测试路1号"), TODAY, "residence.division", id="outside"),
        pytest.param(Residence("320202", "测试路1号"), TODAY, "residence.division", id="retired"),
        pytest.param(Residence("320281", "\t"), TODAY, "residence.address", id="no-address"),
        pytest.param(HOME, date(2025, 9, 2), "moved_on", id="a-move-to-come"),
    ],
)
def test_p25_a_move_that_is_none_within_the_province_is_refused(
    given_permit, on, home, moved_on, field
):
    """Leaving the province ends a permit by cancellation, not by a change of address."""
    with pytest.raises(InvalidDetails) as refusal:
        given_permit(ISSUED).change_address(home, moved_on, on(TODAY))

    assert [field] == [problem.field for problem in refusal.value.problems]


def test_p25_a_move_to_the_same_address_is_none(given_permit, on, when):
    """White space around does not make another home."""
    permit = given_permit(ISSUED)
    same = Residence("320211", " 蠡湖大道1号 ")

    assert when(permit.change_address, same, TODAY, on(TODAY)) == []


@pytest.mark.parametrize(
    "field", [{"name": "欧阳改名"}, {"citizen_id_number": "990000199001010033"}]
)
def test_p26_a_corrected_name_or_number_outdates_the_card(given_permit, standing, correct, field):
    """The card answers identity_stale; the phone shows the corrected data at once."""
    permit = given_permit(ISSUED, claimed=True)
    [(name, value)] = field.items()

    [event] = correct(permit, **field)

    assert IdentityCorrected is type(event)
    assert value == getattr(permit.identity, name)
    after = standing(permit, TODAY)
    assert Verdict(Reason.IDENTITY_STALE) == verify_card(after, 1)
    assert not after.physical_effective
    assert after.electronic_effective


@pytest.mark.parametrize("lost", [True, False])
def test_p26_a_card_with_the_new_face_is_effective(given_permit, on, standing, correct, lost):
    """The next serial, reissued or replaced, shows what is right."""
    permit = given_permit(ISSUED)
    correct(permit, name="欧阳改名")
    if lost:
        permit.report_loss(on(TODAY))
        permit.reissue(on(TODAY))
    else:
        reason = ReplacementReason.DETAILS_CHANGED
        permit.replace(reason, old_card_returned=True, context=on(TODAY))

    assert Verdict(None) == verify_card(standing(permit, TODAY), 2)


def test_p26_a_stale_card_that_was_lost_and_found_is_still_stale(given_permit, on, correct):
    """Finding a card does not print it anew."""
    permit = given_permit(ISSUED)
    permit.report_loss(on(TODAY))
    correct(permit, name="欧阳改名")
    permit.lift_loss(on(TODAY))

    assert permit.card.identity_stale


def test_p26_a_corrected_hukou_address_leaves_the_card_in_force(given_permit, standing, correct):
    """Only name and number say who the card is for."""
    permit = given_permit(ISSUED)

    [event] = correct(permit, hukou_address="安徽省芜湖市测试路2号")

    assert (event.name, event.citizen_id_number) == (None, None)
    assert permit.identity.hukou_address == "安徽省芜湖市测试路2号"
    assert Verdict(None) == verify_card(standing(permit, TODAY), 1)


def test_p26_what_is_already_so_is_no_correction(given_permit, correct, identity):
    """Only the field that differs is on the event; if none does, there is no event."""
    permit = given_permit(ISSUED)
    same = {"name": " 欧阳测试 ", "citizen_id_number": identity().citizen_id_number}

    assert correct(permit, **same) == []
    [event] = correct(permit, **same, hukou_address="安徽省芜湖市测试路2号")
    assert (event.name, event.citizen_id_number) == (None, None)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(
            {"citizen_id_number": "990000199002010035", "birth_date": date(1990, 2, 1)},
            id="another-birth-date",
        ),
        pytest.param({"citizen_id_number": "990000199001010025", "sex": "2"}, id="another-sex"),
        pytest.param(
            {
                "citizen_id_number": "990000 19900201 0043",
                "sex": "2",
                "birth_date": date(1990, 2, 1),
                "name": "欧阳改名",
                "hukou_address": "安徽省芜湖市测试路2号",
            },
            id="all-at-once",
        ),
    ],
)
def test_p26_a_new_number_comes_with_what_it_says(given_permit, standing, correct, fields):
    """The three legal reasons for a new number: assigned twice, a wrong birth date, a wrong sex."""
    permit = given_permit(ISSUED)

    [event] = correct(permit, **fields)

    expected = {**fields, "citizen_id_number": fields["citizen_id_number"].replace(" ", "")}
    assert expected == {name: getattr(event, name) for name in fields}
    assert expected == {name: getattr(permit.identity, name) for name in fields}
    assert Verdict(Reason.IDENTITY_STALE) == verify_card(standing(permit, TODAY), 1)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        pytest.param({"birth_date": date(1990, 2, 1)}, "birth_date", id="birth-date-alone"),
        pytest.param({"sex": "2"}, "sex", id="sex-alone"),
        pytest.param(
            {"citizen_id_number": "990000199002010035", "birth_date": date(1990, 3, 1)},
            "citizen_id_number",
            id="two-birth-dates",
        ),
        pytest.param(
            {"citizen_id_number": "990000199001010025", "sex": "1"},
            "citizen_id_number",
            id="two-sexes",
        ),
    ],
)
def test_p26_number_birth_date_and_sex_have_to_agree(given_permit, correct, fields, at):
    """Whichever of them is corrected; the reason stands at the field that was."""
    with pytest.raises(InvalidDetails) as refusal:
        correct(given_permit(ISSUED), **fields)

    assert [at] == [problem.field for problem in refusal.value.problems]
    assert refusal.value.code == "INVALID_CITIZEN_ID"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        pytest.param("name", "Ouyang", "INVALID_REQUEST", id="latin-name"),
        pytest.param("name", "", "INVALID_REQUEST", id="no-name"),
        pytest.param("name", " ", "INVALID_REQUEST", id="blank-name"),
        pytest.param("hukou_address", "", "INVALID_REQUEST", id="no-address"),
        pytest.param("hukou_address", "一\n二", "INVALID_REQUEST", id="two-lines"),
        pytest.param("citizen_id_number", "", "INVALID_CITIZEN_ID", id="no-number"),
        pytest.param(
            "citizen_id_number", "990000199001010018", "INVALID_CITIZEN_ID", id="check-character"
        ),
        pytest.param(
            "citizen_id_number", "990000199001010025", "INVALID_CITIZEN_ID", id="another-sex"
        ),
        pytest.param(
            "citizen_id_number", "990000200802290034", "INVALID_CITIZEN_ID", id="another-birth-date"
        ),
    ],
)
def test_p26_a_correction_is_held_to_the_same_rules(given_permit, correct, field, value, code):
    """What could not have been issued can't be corrected to."""
    with pytest.raises(InvalidDetails) as refusal:
        correct(given_permit(ISSUED), **{field: value})

    assert [field] == [problem.field for problem in refusal.value.problems]
    assert code == refusal.value.code
