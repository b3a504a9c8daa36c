"""What each field of a person and a home may hold."""

from dataclasses import replace
from datetime import date

import pytest

from domain.citizen_id import check_character
from domain.fields import ETHNICITIES
from domain.person import Guardian, Residence

TODAY = date(2026, 7, 1)


@pytest.fixture(scope="module")
def refused_fields(policy, identity):
    """``refused_fields(**changes)``: which fields of the changed identity can't be accepted."""

    def refused_fields(under=policy, **changes):
        return [problem.field for problem in identity(**changes).problems(under, TODAY)]

    return refused_fields


@pytest.fixture(scope="module")
def residence_problems(policy):
    """``residence_problems(**changes)``: what is wrong with a home changed like this."""

    def residence_problems(division="320211", address="蠡湖大道1号"):
        return list(Residence(division, address).problems(policy))

    return residence_problems


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("欧阳测试", id="compound-surname"),
        pytest.param("𠮷田测", id="extension-b"),
        pytest.param("\U00030edd测", id="extension-g"),
        pytest.param("阿卜杜拉·买买提", id="middle-dot"),
        pytest.param("测", id="one-character"),
        pytest.param("测" * 50, id="fifty-characters"),
        pytest.param("𠮷" * 50, id="fifty-characters-beyond-the-bmp"),
        pytest.param("〇测", id="zero"),
        pytest.param("\U0002ebf0测", id="extension-i-of-unicode-15.1"),
        pytest.param("\U00031350测", id="extension-h-of-unicode-15"),
        pytest.param("\U000323b0测", id="extension-j-of-unicode-17"),
    ],
)
def test_a_name_of_han_characters_is_accepted(refused_fields, name):
    """Extensions beyond the BMP count as one character each."""
    assert refused_fields(name=name) == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("测" * 51, id="fifty-one-characters"),
        pytest.param("Ouyang Ceshi", id="latin"),
        pytest.param("欧阳Test", id="han-and-latin"),
        pytest.param("欧阳 测试", id="a-space-within"),
        pytest.param("·买买提", id="a-dot-first"),
        pytest.param("阿卜杜拉·", id="a-dot-last"),
        pytest.param("阿卜杜拉··买买提", id="two-dots"),
        pytest.param("阿卜杜拉.买买提", id="a-full-stop"),
        pytest.param("测\ufe00", id="a-variation-selector"),
        pytest.param("\ue5e5测", id="private-use"),
        pytest.param("测试\n", id="a-line-end"),
        pytest.param("测\u200b试", id="zero-width-space"),
        pytest.param("カナ", id="kana"),
        pytest.param("测2", id="digit"),
    ],
)
def test_any_other_name_is_refused(refused_fields, name):
    """Never transliterated, never repaired by a guess."""
    assert refused_fields(name=name) == ["holder.name"]


@pytest.mark.parametrize("character", ["\u200b", "\t", "\ufeff", "\u202e"])
@pytest.mark.parametrize("field", ["name", "hukou_address", "citizen_id_number"])
def test_an_unprintable_character_is_named(policy, identity, field, character):
    """An officer can't see it: the reason says which code point to look for."""
    value = getattr(identity(), field)
    [problem] = identity(**{field: value + character}).normalised().problems(policy, TODAY)
    assert f"holder.{field}" == problem.field
    assert f"U+{ord(character):04X}" in problem.reason


@pytest.mark.parametrize("code", ["00", "57", "96", "99", "1", "001", "", "汉"])
def test_an_unknown_ethnicity_is_refused(refused_fields, code):
    """GB 3304 knows 01 to 56, 97 and 98, two digits each."""
    assert refused_fields(ethnicity=code) == ["holder.ethnicity"]


@pytest.mark.parametrize("code", ["01", "09", "10", "56", "97", "98"])
def test_an_ethnicity_of_the_list_is_accepted(refused_fields, code):
    """Fifty-six and two more."""
    assert len(ETHNICITIES) == 58
    assert refused_fields(ethnicity=code) == []


@pytest.mark.parametrize("code", ["0", "1", "9"])
def test_a_sex_code_is_accepted(refused_fields, code):
    """Unknown and not stated contradict no number."""
    assert refused_fields(sex=code) == []


@pytest.mark.parametrize("code", ["3", "", "12", "男"])
def test_an_unknown_sex_code_is_refused(refused_fields, code):
    """GB/T 2261.1 knows 0, 1, 2 and 9."""
    assert refused_fields(sex=code) == ["holder.sex"]


@pytest.mark.parametrize(
    "division",
    ["320205", "320206", "320211", "320213", "320214", "320281", "320282", "320102"],
)
def test_a_division_in_use_is_accepted(residence_problems, division):
    """Wuxi's seven, and those of other cities of the province, which the policy does not list."""
    assert residence_problems(division=division) == []


@pytest.mark.parametrize(
    ("division", "reason"),
    [
        ("320202", "320213"),
        ("320203", "320213"),
        ("320204", "320213"),
        ("320299", "no such division"),
        ("310101", "outside the province"),
        ("990000", "outside the province"),
        ("32021", "six-digit"),
        ("3202110", "six-digit"),
        ("滨湖区", "six-digit"),
        ("３２０２１１", "six-digit"),
    ],
)
def test_any_other_division_is_refused_with_its_reason(residence_problems, division, reason):
    """Of a retired one the reason names the successor."""
    [problem] = residence_problems(division=division)
    assert reason in problem.reason


@pytest.mark.parametrize(
    ("address", "accepted"),
    [
        pytest.param("江苏省无锡市滨湖区蠡湖大道1号3栋2单元501室", True, id="an-address"),
        pytest.param("路", True, id="one-character"),
        pytest.param("路" * 200, True, id="two-hundred-characters"),
        pytest.param("路" * 201, False, id="two-hundred-and-one"),
        pytest.param("", False, id="empty"),
        pytest.param("蠡湖大道\n1号", False, id="two-lines"),
        pytest.param("蠡湖大道\x001号", False, id="nul"),
        pytest.param("蠡湖大道\x1b[2J", False, id="escape"),
        pytest.param("蠡湖\u202e大道", False, id="right-to-left-override"),
        pytest.param("滨湖区\U0002ebf0村1号", True, id="a-character-of-unicode-15.1"),
        pytest.param("滨湖区\U000323b0村1号", True, id="a-character-of-unicode-17"),
    ],
)
def test_an_address_is_one_printable_line(residence_problems, address, accepted):
    """Control characters would print as something else than what was stored."""
    assert accepted is (not residence_problems(address=address))


def test_a_made_up_person_is_refused_by_a_real_register(policy, refused_fields):
    """Area 99 is for samples and tests only."""
    real = replace(policy, synthetic_people=False)
    assert refused_fields(under=real) == ["holder.citizen_id_number"]


@pytest.mark.parametrize("synthetic", [True, False], ids=["samples", "production"])
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("011000199001010019", "begin with 0 or 9"),
        ("912345199001010010", "begin with 0 or 9"),
        ("810000199001010011", "81, 82 or 83"),
        ("820000199001010014", "81, 82 or 83"),
        ("830000199001010017", "81, 82 or 83"),
    ],
)
def test_a_number_of_another_document_is_refused_with_its_reason(
    policy, identity, number, reason, synthetic
):
    """Valid by the formula, but its holder is no Chinese citizen with a hukou; as a guardian's it
    is accepted, where it can be a person's."""
    number = number[:17] + check_character(number[:17])
    policy = replace(policy, synthetic_people=synthetic)
    [problem] = identity(citizen_id_number=number).problems(policy, TODAY)
    assert ("holder.citizen_id_number", "INVALID_CITIZEN_ID") == (problem.field, problem.code)
    assert reason in problem.reason
    assert [] == list(Guardian("测", number).problems(policy, identity()))


def test_a_small_x_is_stored_as_a_capital(identity):
    """In the holder's number and in the guardian's."""
    small, capital = "99000019900101005x", "99000019900101005X"
    assert capital == identity(citizen_id_number=small).normalised().citizen_id_number
    assert capital == Guardian("测", small).normalised().citizen_id_number


def test_a_birth_date_in_the_future_is_refused(refused_fields):
    """A registration is not before birth."""
    tomorrow = {"birth_date": date(2026, 7, 2), "citizen_id_number": "990000202607020011"}
    assert refused_fields(**tomorrow) == ["holder.birth_date"]
