"""Citizen numbers by the formula of GB 11643, and nothing but the formula."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.citizen_id import CitizenId, check_character, compose, parse

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
        pytest.param("990000199001010017\n", "17 digits", id="a-line-end"),
        pytest.param("９９00001990010100１７", "17 digits", id="full-width-digits"),
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
    """People keep the code of a county merged away. (Nobody born in 1850 ever had a number.)"""
    assert date(1850, 1, 1) == parse("320202185001010019").birth_date


@pytest.mark.parametrize(
    ("number", "synthetic"), [("990000199001010017", True), ("320202185001010019", False)]
)
def test_area_99_is_made_up(number, synthetic):
    """No province has it."""
    assert synthetic is parse(number).is_synthetic


@given(NUMBERS)
def test_what_is_composed_can_be_parsed(number):
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
