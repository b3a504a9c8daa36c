"""A batch of appends in the database: a conflict fails alone, and all other appends are written."""

import pytest

from ledger.crypto.holder_keys import NONCE_BYTES, TAG_BYTES
from ledger.crypto.portraits import SIZE_BYTES_MAX, SealedPortrait
from ledger.errors import HolderTaken, KeyTaken, VersionTaken
from ledger.eventlog.append import Append, positions, write
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from ledger.eventlog.registry import (
    ApplyProtection,
    ChangeCitizenNumber,
    ClaimHolder,
    Holder,
    Measure,
    ReleaseHolder,
)
from tests.ledger.appends import answer, kinds, on, streams

# -- losing alone ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losing", "conflict"),
    [
        (on("a"), VersionTaken),
        (on("new", key="taken"), KeyTaken),
        (Append([], answer=answer("taken")), KeyTaken),
        (on("new", ClaimHolder(b"a", "holder-a", "new")), HolderTaken),
        (on("new", ClaimHolder(b"gone", "another id", "new")), HolderTaken),
        (on("new", ClaimHolder(b"new", "holder-a", "new")), HolderTaken),
        (on("a", ChangeCitizenNumber(b"a", "a", b"b"), version=2), HolderTaken),
    ],
    ids=[
        *("version", "key", "key of an answer alone", "person holds a permit"),
        *("person has another id", "id is another's"),
        "number is another's who holds a permit",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_conflict_fails_its_own_append_only(raw_log, in_one_batch, losing, conflict, place):
    """Its neighbours are written as if it did not exist."""
    raw_log.append(on("a", ClaimHolder(b"a", "holder-a", "a"), key="taken"))
    raw_log.append(on("b", ClaimHolder(b"b", "holder-b", "b")))
    raw_log.append(on("gone", ClaimHolder(b"gone", "holder-gone", "gone")))
    raw_log.append(on("gone", ReleaseHolder(b"gone", "gone"), version=2))
    before = raw_log.holders([b"a", b"b", b"gone", b"new"])
    batch = [on("first", ClaimHolder(b"1", "holder-1", "first"), key="1"), on("second", key="2")]
    batch.insert(place, losing)

    outcomes = in_one_batch(*batch)

    assert conflict is type(outcomes.pop(place))
    assert [[5], [6]] == outcomes
    assert ["a", "b", "gone", "gone", "first", "second"] == streams(raw_log)
    assert before == raw_log.holders([b"a", b"b", b"gone", b"new"])
    assert {b"1": Holder("holder-1", "first")} == raw_log.holders([b"1"])
    kept = raw_log.answers("officer-1", ["1", "2"])
    assert {"1": 5, "2": 6} == {key: answer.position for key, (_, answer) in kept.items()}


def test_each_conflict_is_reported_to_its_own_append(raw_log, in_one_batch):
    """Several in one batch, each for its own reason; a taken key counts before all others."""
    raw_log.append(on("a", ClaimHolder(b"a", "holder-a", "a"), key="taken"))

    outcomes = in_one_batch(
        on("a"),
        on("b"),
        on("c", key="taken"),
        on("d", ClaimHolder(b"a", "holder-d", "d")),
        on("e"),
        on("a", ClaimHolder(b"a", "holder-f", "f"), key="taken", version=2),
    )

    assert [VersionTaken, [2], KeyTaken, HolderTaken, [3], KeyTaken] == kinds(outcomes)
    assert ["a", "b", "e"] == streams(raw_log)


def test_a_batch_of_conflicts_writes_nothing(raw_log, in_one_batch):
    """The next append takes the next position."""
    raw_log.append(on("a", key="taken"))

    outcomes = in_one_batch(on("a"), on("b", key="taken"))

    assert [VersionTaken, KeyTaken] == kinds(outcomes)
    assert [2] == raw_log.append(on("c"))
    assert ["a", "c"] == streams(raw_log)


def test_of_two_with_one_holder_id_the_first_succeeds(raw_log, in_one_batch):
    """Two drawn ids may be equal, very rarely; only the table itself detects it."""
    outcomes = in_one_batch(
        on("a", ClaimHolder(b"a", "same id", "a")),
        on("b", ClaimHolder(b"b", "same id", "b")),
        on("c"),
    )

    assert [[1], HolderTaken, [2]] == kinds(outcomes)
    assert ["a", "c"] == streams(raw_log)


# -- what comes with events --------------------------------------------------------------------


def test_each_answer_gets_its_own_last_position(raw_log, in_one_batch):
    """Of the batch's positions that of its append's last event."""
    in_one_batch(on("a", events=2, key="a"), on("b"), on("c", events=3, key="c"), on("d", key="d"))

    kept = raw_log.answers("officer-1", ["a", "c", "d"])
    assert {"a": 2, "c": 6, "d": 7} == {key: answer.position for key, (_, answer) in kept.items()}


def test_responses_without_events_are_stored(raw_log, in_one_batch):
    """They take no position; one that names a position keeps it."""
    true_already = PendingAnswer(IdempotencyKey("officer-1", "2", b""), True, b"", 1, position=1)

    outcomes = in_one_batch(
        on("a", key="0"), Append([], answer=answer("1")), Append([], answer=true_already), on("b")
    )

    assert [[1], [], [], [2]] == outcomes
    assert ["a", "b"] == streams(raw_log)
    kept = raw_log.answers("officer-1", ["0", "1", "2"])
    assert {"0": 1, "1": None, "2": 1} == {key: kept.position for key, (_, kept) in kept.items()}


def test_equal_keys_of_two_callers_are_two_responses(raw_log, in_one_batch):
    """Two offices may number their requests alike."""
    outcomes = in_one_batch(
        *(Append([], answer=answer("1", caller.encode(), caller)) for caller in ("one", "other"))
    )

    assert [[], []] == outcomes
    for caller in ("one", "other"):
        assert caller.encode() == raw_log.answers(caller, ["1"])["1"][1].body


def test_each_portrait_is_stored_under_its_event(raw_log, in_one_batch, admin):
    """Equal ones too, since each is encrypted for its own place; up to the largest size."""
    largest = bytes(SIZE_BYTES_MAX + NONCE_BYTES + TAG_BYTES)
    pictures = [SealedPortrait("a", 1, largest), SealedPortrait("b", 1, b"sealed")]
    pictures += [SealedPortrait("c", 1, largest), SealedPortrait("a", 2, b"a later one")]

    outcomes = in_one_batch(*(on(each.stream, portrait=each) for each in pictures[:3]))
    assert [4] == raw_log.append(on("a", version=2, portrait=pictures[3]))

    assert [[1], [2], [3]] == outcomes
    sql = "SELECT stream, version, image FROM ledger.portraits ORDER BY version, stream"
    assert pictures == [SealedPortrait(*row) for row in admin.execute(sql).fetchall()]


def test_a_returning_holder_keeps_the_holder_id(raw_log, in_one_batch):
    """Beside a new holder, and one whose permit ends."""
    raw_log.append(on("a", ClaimHolder(b"back", "holder-1", "a")))
    raw_log.append(on("a", ReleaseHolder(b"back", "a"), version=2))
    raw_log.append(on("b", ClaimHolder(b"leaving", "holder-2", "b")))

    outcomes = in_one_batch(
        on("c", ClaimHolder(b"back", "holder-1", "c")),
        on("d", ClaimHolder(b"new", "holder-3", "d")),
        on("b", ReleaseHolder(b"leaving", "b"), version=2),
    )

    assert [[4], [5], [6]] == outcomes
    assert {
        b"back": Holder("holder-1", "c"),
        b"new": Holder("holder-3", "d"),
        b"leaving": Holder("holder-2", None),
    } == raw_log.holders([b"back", b"new", b"leaving"])


def test_a_correction_does_not_take_over_the_number_of_another_record(raw_log, in_one_batch):
    """Also of a person who holds no permit now; other people's corrections are written."""
    raw_log.append(on("old", ClaimHolder(b"right", "holder-old", "old")))
    raw_log.append(on("old", ReleaseHolder(b"right", "old"), version=2))
    raw_log.append(on("a", ClaimHolder(b"wrong", "holder-a", "a")))
    raw_log.append(on("b", ClaimHolder(b"b before", "holder-b", "b")))

    outcomes = in_one_batch(
        on("a", ChangeCitizenNumber(b"wrong", "a", b"right"), version=2),
        on("b", ChangeCitizenNumber(b"b before", "b", b"b after"), version=2),
    )

    assert [HolderTaken, [5]] == kinds(outcomes)
    indexes = [b"right", b"wrong", b"b before", b"b after"]
    assert {
        b"right": Holder("holder-old", None),
        b"wrong": Holder("holder-a", "a"),
        b"b before": Holder("holder-b", "b", formerly=True),
        b"b after": Holder("holder-b", "b"),
    } == raw_log.holders(indexes)


def test_a_number_corrected_to_what_it_was_is_no_conflict(raw_log, in_one_batch):
    """A permit has one record."""
    raw_log.append(on("a", ClaimHolder(b"person", "holder-a", "a")))

    assert [[2]] == in_one_batch(on("a", ChangeCitizenNumber(b"person", "a", b"person"), version=2))

    assert {b"person": Holder("holder-a", "a")} == raw_log.holders([b"person"])


# -- on its way there --------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1])
def test_of_several_reasons_the_first_counts(raw_log, admin, place):
    """A taken key means that the command was heard before, whatever else has changed since; with
    losers nothing is written, and each is named by its place."""
    raw_log.append(on("a", ClaimHolder(b"a", "holder-a", "a"), events=2, key="taken"))
    batch = [on("free")]
    batch.insert(place, on("a", ClaimHolder(b"a", "holder-b", "b"), events=2, key="taken"))

    assert {place: KeyTaken} == write(admin, batch)

    batch[place] = on("a", ClaimHolder(b"a", "holder-b", "b"), events=2)
    assert {place: VersionTaken} == write(admin, batch)
    batch[place] = on("b", ClaimHolder(b"a", "holder-b", "b"))
    assert {place: HolderTaken} == write(admin, batch)
    assert ["a", "a"] == streams(raw_log)


def test_positions_follow_the_last_one(raw_log, admin):
    """Each append's positions start after the one before it."""
    raw_log.append(on("a"))
    batch = [on("b", events=2), Append([], answer=answer("1")), on("c")]

    assert 1 == write(admin, batch)

    assert [[2, 3], [], [4]] == positions(1, batch)
    assert ["a", "b", "b", "c"] == streams(raw_log)


def test_an_append_claims_everything_that_can_conflict():
    """Its permits, the people whose records it changes, its caller's key."""
    changes = [
        ClaimHolder(b"taken", "holder-1", "a"),
        ChangeCitizenNumber(b"lost", "b", b"found"),
        ReleaseHolder(b"released", "c"),
        ApplyProtection("holder-2", b"erased", 1, Measure.ERASE),
        ApplyProtection("holder-3", None, 1, Measure.ERASE),
    ]

    append = Append([*on("a", events=2).events, *on("b").events], changes, answer("1"))

    people = {b"taken", b"lost", b"found", b"released", b"erased"}
    assert people | {"a", "b", ("officer-1", "1")} == append.claims


def test_the_size_of_an_append_includes_all_its_data():
    """States, the response's body and the portrait: the bound of memory counts them."""
    picture = SealedPortrait("a", 1, b"sealed")

    append = Append(on("a", events=3).events, (), answer("1", body=b"12345"), picture)

    assert 3 * len(b"{}") + 5 + len(picture.image) == append.size_bytes
    assert (True, False, False) == (
        Append([]).is_empty,
        on("a").is_empty,
        Append([], answer=answer("1")).is_empty,
    )
