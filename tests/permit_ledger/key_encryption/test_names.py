"""Names of key-encryption keys, and what a wrapped key is bound to."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import KeyUnusable
from permit_ledger.keys.key_encryption.envelope import associated_data
from permit_ledger.keys.key_encryption.names import is_id, new_id

AT = datetime(2026, 11, 23, 21, 45, tzinfo=UTC)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_a_name_tells_the_instant_in_utc():
    """Wherever the clock stands."""
    east = AT.astimezone(timezone(timedelta(hours=8)))

    assert new_id([], east).startswith("20261123T214500Z-")
    assert is_id(new_id([], east))


@given(st.lists(instants, max_size=20))
def test_whatever_the_clock_does_a_new_name_is_the_last(clock):
    """Forth, back, or twice the same second."""
    made = []
    for at in clock:
        made.append(new_id(made, at))

    assert sorted(set(made)) == made


@pytest.mark.parametrize(
    "name",
    ["", "zzz", "20261123T214500Z-3FA9C1", "20261123T214500Z-3fa9c1\n", "99991231T235959Z-000000"],
)
def test_no_name_follows_one_of_another_form(name):
    """Rather than one that might sort before it."""
    with pytest.raises(KeyUnusable):
        new_id([name], AT)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(names, names, names, names)
def test_two_bindings_never_look_alike(kek, holder, other_kek, other_holder):
    """No part of one name can pass for a part of the other."""
    same = associated_data(kek, holder) == associated_data(other_kek, other_holder)

    assert same == ((kek, holder) == (other_kek, other_holder))
    assert associated_data("a", "bc") != associated_data("ab", "c")
