"""A check as stored: canonical, its personal part encrypted, and decoded again."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from domain.personal import ERASED
from ledger.checks.log import PERSONAL, Check, SealedCheck, new_check_id
from ledger.crypto.holder_keys import HolderKey
from ledger.database.connections import connect
from ledger.database.migrations import migrate, migrations_of
from ledger.errors import UnreadableEvent

CHECK = Check(
    check_id=UUID(int=1),
    checked_at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
    verifier="verifier-1",
    scenario="entry_exit",
    track="physical",
    permit_number="7Q2M9K4T8XW5",
    card_serial=2,
    code=None,
    device=None,
    outcome="effective",
    reason=None,
    fields=["name", "valid_until"],
    as_of_position=7,
)
NOBODYS = replace(CHECK, permit_number=None, outcome="not_effective", reason="not_live", fields=[])
KEY, OTHER = HolderKey("holder-1", bytes(32)), HolderKey("holder-1", bytes(range(32)))
INDEX = bytes(range(32))


def stored(check, key=KEY):
    return SealedCheck(1, check.record(INDEX, key).state)


def test_a_stored_check_is_decoded():
    """With the holder's key; in the clear if it concerns no holder."""
    assert CHECK == stored(CHECK).open(KEY)
    assert NOBODYS == stored(NOBODYS, None).open(ERASED)


def test_what_was_brought_as_the_cards_code_is_stored_and_sealed():
    """A check that brought none is stored as before there were codes."""
    wrong = replace(CHECK, card_code="wrong")

    assert wrong == stored(wrong).open(KEY)
    assert b"wrong" not in stored(wrong).state
    assert ERASED is stored(wrong).open(ERASED).card_code


def test_the_state_is_canonical():
    """Members sorted, nothing between them: the same check has the same bytes anywhere."""
    state = stored(NOBODYS, None).state

    assert state == orjson.dumps(orjson.loads(state), option=orjson.OPT_SORT_KEYS)
    assert (
        b'{"as_of_position":7,"card_serial":2,"check_id":"00000000-0000-0000-0000-000000000001",'
        b'"checked_at":"2026-11-23T02:00:00+00:00","code":null,"device":null,"fields":[],'
        b'"outcome":"not_effective","permit_number":null,"reason":"not_live",'
        b'"scenario":"entry_exit","track":"physical","type":"permit.checked.v1",'
        b'"verifier":"verifier-1","verifier_index":"' + INDEX.hex().encode() + b'"}'
    ) == state


def test_personal_fields_are_encrypted():
    """None of them is stored in the clear."""
    state = orjson.loads(stored(CHECK).state)
    assert PERSONAL.isdisjoint(state)
    assert b"verifier-1" not in stored(CHECK).state


def test_of_an_erased_holder_the_plain_fields_are_read():
    """Time and outcome of the check."""
    erased = stored(CHECK).open(ERASED)
    assert replace(CHECK, **dict.fromkeys(PERSONAL, ERASED)) == erased


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        stored(CHECK).state.replace(b"0001", b"0002"),
        stored(CHECK).state.replace(b'"box":"', b'"box":"A'),
        stored(CHECK).state.replace(b'"track"', b'"tracks"'),
        stored(NOBODYS, None).state.replace(b"2026-11", b"2026-77"),
    ],
)
def test_an_unreadable_event_is_located(broken):
    """An operator has to act; the error contains no value of it."""
    with pytest.raises(UnreadableEvent, match="check 1 can't be read"):
        SealedCheck(1, broken).open(KEY)


def test_another_key_does_not_open_it():
    """Although it has the same holder's name."""
    with pytest.raises(UnreadableEvent):
        stored(CHECK).open(OTHER)


def test_new_ids_sort_by_time():
    """UUIDs of version 7: unique, sorted by the millisecond."""
    ids = [new_check_id() for _ in range(1000)]

    assert 1000 == len(set(ids))
    assert {7} == {one.version for one in ids}
    assert [one.int >> 80 for one in ids] == sorted(one.int >> 80 for one in ids)


def test_checks_of_earlier_versions_stay_readable(empty_database, monkeypatch):
    """In the order of their instants, in the clear."""
    old = [m for m in migrations_of("ledger") if m.file < "0005"]
    with connect(empty_database) as owner:
        with monkeypatch.context() as before:
            before.setattr("ledger.database.migrations.migrations_of", lambda _: old)
            migrate(owner, "ledger")
        for n, minute in ((1, 5), (2, 3), (3, 4)):
            owner.execute(
                "INSERT INTO ledger.checks VALUES (%s, %s, 'verifier-1', 'entry_exit', 'physical',"
                " '7Q2M9K4T8XW5', 2, 'effective', NULL, '{name}', 7)",
                [UUID(int=n), datetime(2026, 11, 23, 2, minute, tzinfo=UTC)],
            )
        migrate(owner, "ledger")

        rows = owner.execute("SELECT position, state FROM ledger.checks ORDER BY 1").fetchall()
        head = owner.execute("SELECT position FROM ledger.checks_head").fetchone()

    read = [SealedCheck(*row).open(ERASED) for row in rows]
    assert [2, 3, 1] == [one.check_id.int for one in read]
    assert (3,) == head
    moved = datetime(2026, 11, 23, 2, 3, tzinfo=UTC)
    assert replace(CHECK, check_id=UUID(int=2), checked_at=moved, fields=["name"]) == read[0]
