"""P25, P26: moves within the province, and corrections of who the holder is."""

from datetime import date

import pytest

from domain.events import ReplacementReason
from domain.person import Residence
from domain.verification import Reason, Verdict, verify_card
from tests.domain.scenario import (
    IDENTITY,
    address_changed,
    claimed,
    given,
    identity_corrected,
    issued,
    loss_lifted,
    loss_reported,
    on,
    reissued,
    replaced,
)

ISSUED = date(2025, 3, 31)
TODAY = date(2025, 9, 1)
HOME = Residence("320281", "澄江中路2号")
NEW_NAME = identity_corrected(TODAY, name="欧阳改名")


def change_address(residence, moved_on=TODAY):
    return lambda permit: permit.change_address(residence, moved_on, on(TODAY))


def correct(**fields):
    return lambda permit: permit.correct_identity(**fields, context=on(TODAY))


@pytest.mark.parametrize(
    ("moved_on", "late"),
    [(TODAY, False), (date(2025, 8, 22), False), (date(2025, 8, 21), True), (ISSUED, True)],
)
def test_p25_a_move_within_the_province_keeps_the_permit(moved_on, late):
    """Reported after more than ten days it carries a warning and is not refused."""
    before = given(issued(ISSUED)).aggregate

    permit = (
        given(issued(ISSUED))
        .when(change_address(HOME, moved_on))
        .then(address_changed(TODAY, HOME, moved_on, late=late))
    )

    assert (HOME, before.term, before.card) == (permit.residence, permit.term, permit.card)


@pytest.mark.parametrize(
    ("home", "moved_on", "field"),
    [
        pytest.param(Residence("310101", "测试路1号"), TODAY, "residence.division", id="outside"),
        pytest.param(Residence("320202", "测试路1号"), TODAY, "residence.division", id="retired"),
        pytest.param(Residence("320281", "\t"), TODAY, "residence.address", id="no-address"),
        pytest.param(HOME, date(2025, 9, 2), "moved_on", id="in-the-future"),
    ],
)
def test_p25_a_move_out_of_the_province_or_to_no_address_is_refused(home, moved_on, field):
    """Leaving the province ends a permit by cancellation, not by a change of address."""
    given(issued(ISSUED)).when(change_address(home, moved_on)).invalid(field)


def test_p25_a_move_to_the_same_address_changes_nothing():
    """White space around an address does not make it another one."""
    same = Residence("320211", " 蠡湖大道1号 ")
    given(issued(ISSUED)).when(change_address(same)).then_nothing()


@pytest.mark.parametrize(
    "field", [{"name": "欧阳改名"}, {"citizen_id_number": "990000199001010033"}]
)
def test_p26_a_corrected_name_or_number_outdates_the_card(standing, field):
    """A check of the card finds it stale; the phone shows the corrected data at once."""
    [(name, value)] = field.items()

    permit = (
        given(issued(ISSUED), claimed(ISSUED))
        .when(correct(**field))
        .then(identity_corrected(TODAY, **field))
    )

    assert value == getattr(permit.identity, name)
    after = standing(permit, TODAY)
    assert Verdict(Reason.IDENTITY_STALE) == verify_card(after, 1)
    assert not after.physical_effective
    assert after.electronic_effective


@pytest.mark.parametrize(
    "new_card",
    [
        [loss_reported(TODAY), reissued(TODAY)],
        [replaced(TODAY, reason=ReplacementReason.DETAILS_CHANGED)],
    ],
    ids=["reissued", "replaced"],
)
def test_p26_a_card_with_the_new_face_is_effective(standing, new_card):
    """The next serial shows what is right."""
    permit = given(issued(ISSUED), NEW_NAME, *new_card).aggregate

    assert Verdict(None) == verify_card(standing(permit, TODAY), 2)


def test_p26_a_stale_card_that_was_lost_and_found_is_still_stale():
    """It still shows the old name."""
    history = [issued(ISSUED), loss_reported(TODAY), NEW_NAME, loss_lifted(TODAY)]

    assert given(*history).aggregate.card.identity_stale


def test_p26_a_corrected_hukou_address_leaves_the_card_in_force(standing):
    """It is not on the card's face."""
    address = {"hukou_address": "安徽省芜湖市测试路2号"}

    permit = (
        given(issued(ISSUED))
        .when(correct(**address))
        .then(identity_corrected(TODAY, **address, outdates_card=False))
    )

    assert permit.identity.hukou_address == "安徽省芜湖市测试路2号"
    assert Verdict(None) == verify_card(standing(permit, TODAY), 1)


@pytest.mark.parametrize(
    "fields", [{"name": "欧阳改名"}, {"hukou_address": "安徽省芜湖市测试路2号"}]
)
def test_p26_an_event_can_not_contradict_itself_about_the_card(fields):
    """Readers without the holder's key rely on what it says in the clear."""
    with pytest.raises(ValueError, match="outdates_card contradicts"):
        given(
            issued(ISSUED), identity_corrected(TODAY, **fields, outdates_card="name" not in fields)
        )


def test_p26_only_what_differs_is_corrected():
    """Only the field that differs is on the event; if none does, there is no event."""
    same = {"name": " 欧阳测试 ", "citizen_id_number": IDENTITY.citizen_id_number}
    address = {"hukou_address": "安徽省芜湖市测试路2号"}

    given(issued(ISSUED)).when(correct(**same)).then_nothing()
    (
        given(issued(ISSUED))
        .when(correct(**same, **address))
        .then(identity_corrected(TODAY, **address, outdates_card=False))
    )


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
def test_p26_a_new_number_comes_with_its_birth_date_and_sex(standing, fields):
    """The three legal reasons for a new number: assigned twice, a wrong birth date, a wrong sex."""
    expected = {**fields, "citizen_id_number": fields["citizen_id_number"].replace(" ", "")}

    permit = (
        given(issued(ISSUED)).when(correct(**fields)).then(identity_corrected(TODAY, **expected))
    )

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
def test_p26_number_birth_date_and_sex_have_to_agree(fields, at):
    """Whichever of them is corrected; the problem is reported at that field."""
    given(issued(ISSUED)).when(correct(**fields)).invalid(at, code="INVALID_CITIZEN_ID")


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
def test_p26_a_correction_is_held_to_the_same_rules(field, value, code):
    """A value that could not have been issued can't be corrected to."""
    given(issued(ISSUED)).when(correct(**{field: value})).invalid(field, code=code)
