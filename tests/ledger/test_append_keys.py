"""Holders' keys in the database: written with the event that is sealed with them, destroyed with
the one that says so."""

import pytest
from eventsourcing.persistence import StoredEvent
from psycopg.errors import CheckViolation, RestrictViolation

from domain.events import HolderErased
from ledger.crypto.holder_keys import WrappedKey
from ledger.crypto.portraits import SealedPortrait
from ledger.errors import HolderTaken, KekClosed, VersionTaken
from ledger.eventlog.append import Append, write
from ledger.eventlog.registry import (
    ApplyProtection,
    ClaimHolder,
    HolderRecord,
    Measure,
    ReleaseHolder,
)
from tests.keks import KEK
from tests.ledger.appends import answer, kinds, on, streams

CLOSE = "UPDATE ledger.key_encryption_keys SET closed_at = now()"


def wrapped(holder_id, kek_id=KEK.kek_id):
    return WrappedKey(holder_id, kek_id, f"wrapped for {holder_id}".encode())


def new(holder_id, stream, **how):
    """The first permit of a new holder, with a picture."""
    take = ClaimHolder(holder_id.encode(), holder_id, stream, wrapped(holder_id))
    portrait = SealedPortrait(stream, 1, f"of {stream}".encode())
    return on(stream, take, portrait=portrait, **how)


def erasure(holder_id, *permits, version=2, known=None, only=None):
    """The last event of these permits, and with it the key; ``known`` is how many there are said to
    be, ``only`` the ones that it has events of."""
    named = holder_id.encode()
    events = [
        StoredEvent(stream, version, HolderErased.TOPIC, b'{"holder_id":"%b"}' % named)
        for stream in (permits if only is None else only)
    ]
    permits_known = known or len(permits)
    return Append(
        events, [ApplyProtection(holder_id, holder_id.encode(), permits_known, Measure.ERASE)]
    )


@pytest.fixture
def rows(admin):
    """``rows()``: all keys, holders and pictures that there are."""

    def rows():
        return [
            admin.execute(f"SELECT {columns} FROM ledger.{table} ORDER BY 1").fetchall()
            for table, columns in {
                "holder_keys": "holder_id, kek_id, wrapped",
                "holders": "holder_id, citizen_index, permit_number, permit_numbers",
                "portraits": "stream, version, image",
            }.items()
        ]

    return rows


# -- a key comes -------------------------------------------------------------------------------


def test_a_new_key_is_written_with_its_event(raw_log, in_one_batch):
    """Each event with its own; a conflict leaves no key."""
    raw_log.append(new("holder-1", "a"))

    outcomes = in_one_batch(new("holder-2", "b"), new("holder-3", "a"), new("holder-4", "d"))

    assert [[2], VersionTaken, [3]] == kinds(outcomes)
    everybody = [f"holder-{n}" for n in range(1, 5)]
    assert [wrapped(f"holder-{n}") for n in (1, 2, 4)] == sorted(raw_log.wrapped_keys(everybody))


@pytest.mark.parametrize("place", [0, 1])
def test_a_key_wrapped_with_a_closed_kek_is_not_written(raw_log, in_one_batch, admin, place):
    """Its command gets the conflict; its neighbour, which has no new key, is written."""
    raw_log.append(new("holder-1", "a"))
    admin.execute(CLOSE)
    batch = [on("a", version=2)]
    batch.insert(place, new("holder-2", "b"))

    outcomes = in_one_batch(*batch)

    assert KekClosed is type(outcomes.pop(place))
    assert [[2]] == outcomes
    assert [wrapped("holder-1")] == raw_log.wrapped_keys(["holder-1", "holder-2"])


def test_a_key_wrapped_with_an_unknown_kek_is_not_written(admin):
    """It could not be rotated."""
    append = on("a", ClaimHolder(b"holder-1", "holder-1", "a", wrapped("holder-1", "of nobody")))

    assert {0: KekClosed} == write(admin, [append])


def test_bulk_appends_have_keys_and_pictures_too(raw_log, rows):
    """In the same transaction."""
    raw_log.append_all([new("holder-1", "a"), new("holder-2", "b")])

    keys, holders, portraits = rows()
    assert [wrapped("holder-1"), wrapped("holder-2")] == keys
    assert [("holder-1", b"holder-1", "a", ["a"]), ("holder-2", b"holder-2", "b", ["b"])] == holders
    assert [("a", 1, b"of a"), ("b", 1, b"of b")] == portraits


@pytest.mark.parametrize("append", [lambda r, a: r.append(a), lambda r, a: r.append_all([a])])
def test_a_closed_kek_is_a_conflict_for_both_kinds_of_append(raw_log, admin, rows, append):
    """Nothing is written."""
    admin.execute(CLOSE)

    with pytest.raises(KekClosed):
        append(raw_log, new("holder-1", "a"))

    assert ([[], [], []], 0) == (rows(), raw_log.head())


def test_a_holder_keeps_every_permit_on_record(raw_log):
    """In their order; the key is the one of the first."""
    raw_log.append(new("holder-1", "a"))
    raw_log.append(on("a", ReleaseHolder(b"holder-1", "a"), version=2))
    raw_log.append(on("b", ClaimHolder(b"holder-1", "holder-1", "b")))

    assert HolderRecord("holder-1", b"holder-1", ("a", "b")) == raw_log.holder("holder-1")
    assert raw_log.holder("holder-2") is None
    assert [wrapped("holder-1")] == raw_log.wrapped_keys(["holder-1"])


# -- a key goes --------------------------------------------------------------------------------


def test_an_erasure_destroys_what_identifies_the_holder(raw_log, rows):
    """The key, the index and the pictures, of this holder alone; the list of permits stays."""
    raw_log.append(new("holder-1", "a"))
    raw_log.append(on("a", ReleaseHolder(b"holder-1", "a"), version=2))
    later = SealedPortrait("b", 1, b"older")
    raw_log.append(on("b", ClaimHolder(b"holder-1", "holder-1", "b"), portrait=later))
    raw_log.append(new("holder-2", "c"))
    raw_log.append(on("b", version=2))

    assert [6, 7] == raw_log.append(erasure("holder-1", "a", "b", version=3))

    keys, holders, portraits = rows()
    assert [("holder-1", None, None), wrapped("holder-2")] == keys
    assert [
        ("holder-1", None, None, ["a", "b"]),
        ("holder-2", b"holder-2", "c", ["c"]),
    ] == holders
    assert [("c", 1, b"of c")] == portraits
    assert {} == raw_log.holders([b"holder-1"])


def test_two_erasures_in_one_batch_are_independent(raw_log, in_one_batch, rows):
    """Beside other appends."""
    for n, stream in enumerate("abc"):
        raw_log.append(new(f"holder-{n}", stream))

    outcomes = in_one_batch(
        erasure("holder-0", "a"), on("c", version=2), erasure("holder-1", "b"), new("holder-3", "d")
    )

    assert [[4], [5], [6], [7]] == outcomes
    assert ["holder-2", "holder-3"] == [holder for holder, kek, _ in rows()[0] if kek]


def test_an_erasure_that_misses_a_permit_is_a_conflict(raw_log, in_one_batch, rows):
    """A permit issued meanwhile would have no event: only the other append is written."""
    raw_log.append(new("holder-1", "a"))
    raw_log.append(on("a", ReleaseHolder(b"holder-1", "a"), version=2))
    raw_log.append(on("b", ClaimHolder(b"holder-1", "holder-1", "b")))
    before = rows()

    outcomes = in_one_batch(erasure("holder-1", "a", version=3), on("c"))

    assert [HolderTaken, [4]] == kinds(outcomes)
    assert before == rows()
    assert ["a", "a", "b", "c"] == streams(raw_log)


def test_an_erasure_with_a_version_conflict_destroys_nothing(raw_log, in_one_batch, rows):
    """Another command changed a permit first: nothing of the erasure is written."""
    raw_log.append(new("holder-1", "a"))
    raw_log.append(on("a", version=2))
    before = rows()

    assert [VersionTaken] == kinds(in_one_batch(erasure("holder-1", "a")))
    assert before == rows()


@pytest.mark.parametrize("only", [(), ("a",), ("b",)])
def test_no_key_is_destroyed_without_the_event_of_every_permit(raw_log, rows, only):
    """The database enforces it; nothing else of the append is written either."""
    raw_log.append(new("holder-1", "a"))
    raw_log.append(on("a", ReleaseHolder(b"holder-1", "a"), version=2))
    raw_log.append(on("b", ClaimHolder(b"holder-1", "holder-1", "b")))
    raw_log.append(on("b", version=2))
    before = rows()
    append = erasure("holder-1", "a", "b", version=3, only=only)
    kept = Append(append.events, append.holder_changes, answer("1"))

    with pytest.raises(RestrictViolation, match="does not say that holder holder-1 is erased"):
        raw_log.append(kept)

    assert before == rows()
    assert ["a", "a", "b", "b"] == streams(raw_log)
    assert {} == raw_log.answers("officer-1", ["1"])


def test_an_erased_person_returns_as_a_new_holder(raw_log):
    """The index is free; the old id can't be claimed again."""
    raw_log.append(new("holder-1", "a"))
    raw_log.append(erasure("holder-1", "a"))

    with pytest.raises(HolderTaken):
        raw_log.append(on("b", ClaimHolder(b"holder-1", "holder-1", "b")))
    append = on("b", ClaimHolder(b"holder-1", "holder-2", "b", wrapped("holder-2")))
    assert [3] == raw_log.append(append)

    assert HolderRecord("holder-1", None, ("a",)) == raw_log.holder("holder-1")
    assert HolderRecord("holder-2", b"holder-1", ("b",)) == raw_log.holder("holder-2")


def test_a_destroyed_key_cannot_be_replaced(raw_log, rows):
    """A second key under the same id is refused: it would seem to open earlier ciphertexts."""
    raw_log.append(new("holder-1", "a"))
    raw_log.append(erasure("holder-1", "a"))
    before = rows()

    with pytest.raises(HolderTaken):
        raw_log.append(on("b", ClaimHolder(b"another", "holder-1", "b", wrapped("holder-1"))))

    assert before == rows()


def test_a_key_row_is_complete_or_destroyed(admin):
    """A key always has the name of the KEK that wraps it."""
    for kek_id, key in [("'kek'", "NULL"), ("NULL", "'wrapped'")]:
        with pytest.raises(CheckViolation):
            admin.execute(f"INSERT INTO ledger.holder_keys VALUES ('a', {kek_id}, {key})")
