"""Receipt numbers: unguessable, checkable, and never taken for a permit's."""

from hypothesis import given as drawn
from hypothesis import strategies as st

from domain import permit_number, printed_number, stream_types
from domain.id_cards import receipt_number

BITS = st.integers(0, 2**75 - 1)


def numbers(first):
    """As many as are needed to find one with a check character that fits the alphabet."""
    state = iter(range(1000))
    return receipt_number.draw(lambda k: (first + next(state)) % 2**k)


@drawn(BITS)
def test_what_is_drawn_is_valid_and_no_permit_number(bits):
    """75 random bits, which all come into it."""
    number = numbers(bits)
    assert receipt_number.is_valid(number)
    assert stream_types.is_number(number)
    assert not permit_number.is_valid(number)


@drawn(BITS, st.integers(0, 15), st.sampled_from(printed_number.ALPHABET))
def test_a_wrong_character_is_found(bits, place, wrong):
    """Wherever it is."""
    number = numbers(bits)
    changed = number[:place] + wrong + number[place + 1 :]
    assert (changed == number) == receipt_number.is_valid(changed)


def test_different_bits_make_different_numbers():
    """The lowest and the highest count as well."""
    assert len({numbers(2**place) for place in range(75)}) == 75


def test_the_source_is_asked_for_75_bits():
    """In one go."""
    asked = []

    def bits(k):
        asked.append(k)
        return 12345 * len(asked)

    receipt_number.draw(bits)
    assert {75} == set(asked)
