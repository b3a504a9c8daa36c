"""Citizen numbers by the formula of GB 11643, and nothing but the formula."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.citizen_id import CitizenId, check_character, compose, is_in, normalise, parse

NUMBERS = st.builds(
    compose,
    st.integers(0, 9999).map(lambda rest: f"99{rest:04d}"),
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.integers(0, 999),
)


@pytest.mark.parametrize(
    ("number", "birth_date", "sex"),
    [
        ("990000199001010017", date(1990, 1, 1), "1"),
        ("990000199001010025", date(1990, 1, 1), "2"),
        ("990000200802290034", date(2008, 2, 29), "1"),
        ("99000019900101005X", date(1990, 1, 1), "1"),
    ],
)
def test_a_number_says_birth_date_and_sex(number, birth_date, sex):
    """Digits seven to fourteen are the date; an odd seventeenth digit is a man's."""
    assert CitizenId(number, birth_date, sex) == parse(number)


@pytest.mark.parametrize(
    "written",
    [
        "990000 19900101 0017",
        " 990000199001010017 ",
        "990000-19900101-0017",
        "990000\u201019900101\u22120017",
        "９９００００１９９００１０１００１７",
        "990000\u00a019900101\u30000017",
    ],
)
def test_spaces_hyphens_and_wide_digits_make_no_other_number(written):
    """As people type it, and as cards and forms print it."""
    assert "990000199001010017" == parse(written).number == normalise(written)


def test_a_small_x_is_kept_as_a_capital():
    """Accept ``x``, store ``X``."""
    assert parse("99000019900101005X") == parse("99000019900101005x")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        pytest.param("990000199001010016", "check character", id="wrong-check-character"),
        pytest.param("99000019900101001X", "check character", id="an-x-that-does-not-fit"),
        pytest.param("99000019900101001", "17 digits", id="too-short"),
        pytest.param("9900001990010100170", "17 digits", id="too-long"),
        pytest.param("990000900101001", "17 digits", id="old-fifteen-digits"),
        pytest.param("9900001990O1010017", "17 digits", id="a-letter-among-digits"),
        pytest.param("990000199001010017\n", r"U\+000A \(line feed\)", id="a-line-end"),
        pytest.param("990000199001\t010017", r"U\+0009 \(tab\)", id="a-tab"),
        pytest.param("990000199001010017\u200b", r"U\+200B", id="zero-width-space"),
        pytest.param("٩٩٠٠٠٠١٩٩٠٠١٠١٠٠١٧", "17 digits", id="arabic-digits"),
        pytest.param("", "17 digits", id="nothing"),
    ],
)
def test_a_malformed_number_is_refused_with_its_reason(number, reason):
    """The reason is fit to show."""
    with pytest.raises(ValueError, match=reason):
        parse(number)


@pytest.mark.parametrize("day", ["19900230", "20070229", "19901301", "19900100", "00000101"])
def test_a_number_with_an_impossible_birth_date_is_refused(day):
    """The check character fits, the calendar does not."""
    body = f"990000{day}001"
    with pytest.raises(ValueError, match="birth date"):
        parse(body + check_character(body))


def test_a_retired_area_is_no_reason_to_refuse():
    """People keep the code of a county merged away. (None was given for a birth in 1850.)"""
    assert date(1850, 1, 1) == parse("320202185001010019").birth_date


@pytest.mark.parametrize(
    ("number", "synthetic"), [("990000199001010017", True), ("320202185001010019", False)]
)
def test_area_99_is_made_up(number, synthetic):
    """No province has it."""
    assert synthetic is parse(number).is_synthetic


@given(NUMBERS)
def test_a_composed_number_can_be_parsed(number):
    """Every composed number is valid and stays as it is."""
    assert number == parse(number).number


@given(NUMBERS, st.integers(0, 17), st.sampled_from("0123456789X"))
def test_every_wrong_character_is_noticed(number, position, character):
    """MOD 11-2 sees every single substitution."""
    wrong = number[:position] + character + number[position + 1 :]
    assume(wrong != number)
    with pytest.raises(ValueError, match=r"check character|17 digits"):
        parse(wrong)


@given(NUMBERS, st.integers(0, 16))
def test_every_swap_of_neighbours_is_noticed(number, position):
    """MOD 11-2 sees every transposition of two different characters side by side."""
    left, right = number[position : position + 2]
    swapped = number[:position] + right + left + number[position + 2 :]
    assume(left != right)
    with pytest.raises(ValueError, match=r"check character|17 digits"):
        parse(swapped)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("990000199001010017", id="bare"),
        pytest.param("案件990000199001010017号", id="within-a-text"),
        pytest.param("JZZ-990000199001010017", id="behind-a-prefix"),
        pytest.param("20990000199001010017", id="within-a-longer-number"),
        pytest.param("990000 19900101 0017", id="spaced"),
        pytest.param("990000-19900101-0017", id="hyphenated"),
        pytest.param("9.9.0.0.0.0.1.9.9.0.0.1.0.1.0.0.1.7", id="dotted"),
        pytest.param("９９００００１９９００１０１００１７", id="wide"),
        pytest.param("٩٩٠٠٠٠١٩٩٠٠١٠١٠٠١٧", id="arabic-digits"),
        pytest.param("九九〇〇〇〇一九九〇〇一〇一〇〇一七", id="han-digits"),
        pytest.param("⑨⑨⓪⓪⓪⓪①⑨⑨⓪⓪①⓪①⓪⓪①⑦", id="circled-digits"),
        pytest.param("99000019900101005x", id="small-x"),
        pytest.param("990000199001010016", id="mistyped-check-character"),
        pytest.param("320205900101001", id="fifteen-digits"),
        pytest.param("案320205900101001号", id="fifteen-within-a-text"),
        pytest.param("2026-0001 320205900101001", id="fifteen-behind-another-number"),
        pytest.param("320205-900101-001", id="fifteen-hyphenated"),
        pytest.param("３２０２０５９００１０１００１", id="fifteen-wide"),
        pytest.param("990000900101001", id="fifteen-synthetic"),
    ],
)
def test_a_number_is_found_in_a_text(text):
    """However it is written, in both lengths."""
    assert is_in(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("2026-DP-17", id="a-case"),
        pytest.param("(2026)苏0205民初12345号", id="a-court-case"),
        pytest.param("A3202057600002026030012", id="a-police-case-of-22-digits"),
        pytest.param("2026-11-30 12:00:00.123456", id="an-instant"),
        pytest.param("320205991301001", id="fifteen-digits-with-a-thirteenth-month"),
        pytest.param("200205900101001", id="fifteen-digits-of-no-province"),
        pytest.param("0510-8270123413912345678", id="telephone-numbers"),
    ],
)
def test_other_numbers_are_not_taken_for_one(text):
    """Cases, instants and telephones may stand in the log."""
    assert not is_in(text)
