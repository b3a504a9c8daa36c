"""Permit numbers: opaque, printable, and what their check character sees."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.permit_number import draw, is_valid
from domain.printed_number import ALPHABET, check_character

ORDER = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@st.composite
def numbers(choose):
    """Numbers as they are drawn."""
    return draw(lambda bits: choose(st.integers(0, 2**bits - 1)))


def test_the_check_character_is_iso_7064_mod_37_36():
    """The published example of the Global Release Identifier, A1-2425G-ABC1234002-M."""
    assert check_character("A12425GABC1234002") == "M"


@given(numbers())
def test_a_drawn_number_is_valid_and_safe_to_print(number):
    """Twelve characters, none of them I, L, O or U."""
    assert is_valid(number)
    assert len(number) == 12
    assert not set("ILOU") & set(number)


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        pytest.param("7Q2M9K4T8XW5", True, id="valid"),
        pytest.param("7q2m9k4t8xw5", False, id="lower-case"),
        pytest.param("7Q2M9K4T8XW", False, id="too-short"),
        pytest.param("7Q2M9K4T8XW50", False, id="too-long"),
        pytest.param("7Q2M9K4T8XW5\n", False, id="a-line-end"),
        pytest.param("7Q2M-9K4T-8XW5", False, id="grouped"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_the_text_of_a_permit_number_has_one_form(number, valid):
    """Anything else never was a number of ours."""
    assert valid is is_valid(number)


def test_a_body_whose_check_character_would_be_misread_is_drawn_again():
    """Eleven zeros and the next body that gives I, L, O or U are passed over."""
    unprintable = next(
        body
        for body in (f"{'0' * 10}{last}" for last in ALPHABET)
        if check_character(body) in "ILOU"
    )
    bits = (
        sum(ALPHABET.index(character) << 5 * place for place, character in enumerate(body))
        for body in (unprintable, "7Q2M9K4T8XW")
    )

    assert draw(lambda _: next(bits)) == "7Q2M9K4T8XW5"


@given(numbers(), st.integers(0, 11), st.sampled_from(ALPHABET))
def test_every_wrong_character_is_noticed(number, position, character):
    """One character misread or mistyped makes the number invalid."""
    wrong = number[:position] + character + number[position + 1 :]
    assert (wrong == number) is is_valid(wrong)


@given(numbers(), st.integers(0, 10))
def test_a_swap_of_neighbours_is_noticed(number, position):
    """Unless the two follow each other in the alphabet: the one thing MOD 37,36 may miss."""
    left, right = number[position : position + 2]
    swapped = number[:position] + right + left + number[position + 2 :]
    follow_each_other = abs(ORDER.index(left) - ORDER.index(right)) in {1, 35}

    assert left == right or follow_each_other or not is_valid(swapped)


def test_hardly_any_swap_is_missed():
    """Of all swaps after one leading character, fewer than one in five hundred."""
    swaps = [
        (first + left + right, first + right + left)
        for first in ALPHABET
        for left, right in combinations(ALPHABET, 2)
    ]
    missed = [body for body, swapped in swaps if check_character(body) == check_character(swapped)]
    assert len(missed) < len(swaps) / 500
