"""Many appends in few transactions, in the one order of the log."""

import pytest

from domain.events import CancellationReason
from domain.permit import Permit
from ledger.commands import bulk
from ledger.commands.bulk import BulkAppender
from ledger.crypto.portraits import Portrait, SealedPortrait
from ledger.errors import HolderTaken, KeyTaken, KeyUnusable
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from ledger.eventlog.registry import ClaimHolder, Holder, ReleaseHolder
from tests.ledger import sealing

PICTURE = Portrait.of(b"\xff\xd8\xff a face \xff\xd9")
KEY = IdempotencyKey("import", "line 1", b"line 1")


@pytest.fixture
def permit(application, context):
    """``permit(n)``: issued, its event still pending; to ``holder-n``, or to another."""

    def permit(n, holder=None):
        holder_id = f"holder-{n if holder is None else holder}"
        return Permit.issue(f"permit-{n}", holder_id, application(), context)

    return permit


@pytest.fixture
def appended(ledger, monkeypatch):
    """How many events each transaction wrote."""
    sizes = []
    append = ledger.append_all

    def counting(appends):
        sizes.append(sum(len(each.events) for each in appends))
        return append(appends)

    monkeypatch.setattr(ledger, "append_all", counting)
    return sizes


def taken(permit):
    """By a person under an index of the test's own."""
    return ClaimHolder(permit.holder_id.encode(), permit.holder_id, permit.id)


def add_new(appender, permit, **how):
    """The permit of a new holder."""
    appender.add(permit, [taken(permit)], new_holder=True, **how)


def streams(ledger):
    log = ledger.events(1, 100)
    assert list(range(1, len(log) + 1)) == [event.id for event in log]
    return [event.originator_id for event in log]


def test_events_are_stored_in_the_order_of_their_addition(ledger, permit, appended, monkeypatch):
    """Whatever the batches; the last one is written on leaving the context."""
    monkeypatch.setattr(bulk, "BATCH_EVENTS_MAX", 3)

    with BulkAppender(ledger) as appender:
        for n in range(7):
            add_new(appender, permit(n))

    assert [f"permit-{n}" for n in range(7)] == streams(ledger)
    assert [3, 3, 1] == appended


def test_a_permits_events_stay_together(ledger, permit, context, appended, monkeypatch):
    """A whole life at once, read back as it was decided."""
    monkeypatch.setattr(bulk, "BATCH_EVENTS_MAX", 3)
    whole = permit(1)
    for _ in range(2):
        whole.report_loss(context)
        whole.reissue(context)

    with BulkAppender(ledger) as appender:
        add_new(appender, permit(0))
        add_new(appender, whole)

    assert ["permit-0", *["permit-1"] * 5] == streams(ledger)
    assert appended[0] == 6
    assert whole.card == ledger.permit("permit-1").card


def test_a_batch_is_bounded_in_bytes(ledger, permit, appended, monkeypatch):
    """Portraits count: 64 KiB each soon outweigh their events."""
    state = ledger.event_mapper.to_stored_event(permit(0).collect_events()[0], sealing.KEY).state
    picture = PICTURE.seal(sealing.KEY, "permit-1", 1).image
    monkeypatch.setattr(bulk, "BATCH_BYTES_MAX", len(state) + len(picture))

    with BulkAppender(ledger) as appender:
        add_new(appender, permit(1), portrait=PICTURE)
        assert [1] == appended
        add_new(appender, permit(2))
        assert [1] == appended

    assert [1, 1] == appended[:2]


def test_everything_that_belongs_to_an_event_is_written_with_it(ledger, permit, admin):
    """The holder, the key, the response, the portrait."""
    answer = PendingAnswer(KEY, accepted=True, body=b"done", version=1)

    with BulkAppender(ledger) as appender:
        add_new(appender, permit(1))
        take = ClaimHolder(b"person", "holder-2", "permit-2")
        appender.add(permit(2), [take], portrait=PICTURE, answer=answer, new_holder=True)

    assert {b"person": Holder("holder-2", "permit-2")} == ledger.log.holders([b"person"])
    _, kept = ledger.log.answers("import", ["line 1"])["line 1"]
    assert (True, b"done", 1, 2) == (kept.accepted, kept.body, kept.version, kept.position)
    [row] = admin.execute("SELECT stream, version, image FROM ledger.portraits").fetchall()
    key = ledger.log.holder_keys(["holder-2"])["holder-2"]
    assert ("permit-2", 1) == row[:2]
    assert PICTURE.image == SealedPortrait(*row).open(key, PICTURE.digest)


def test_leaving_by_an_exception_writes_no_more(ledger, permit, monkeypatch):
    """Earlier batches remain; the collected one is not written partly."""
    monkeypatch.setattr(bulk, "BATCH_EVENTS_MAX", 2)

    def fail_at_the_fourth():
        with BulkAppender(ledger) as appender:
            for n in range(3):
                add_new(appender, permit(n))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_fourth()

    assert ["permit-0", "permit-1"] == streams(ledger)


@pytest.mark.parametrize("conflict", [HolderTaken, KeyTaken])
def test_a_conflict_writes_nothing_of_its_batch(ledger, permit, monkeypatch, conflict):
    """The appender is empty afterwards, so that the next batch is not affected."""
    monkeypatch.setattr(bulk, "BATCH_EVENTS_MAX", 2)
    answer = PendingAnswer(KEY, accepted=True, body=b"", version=1)

    def with_conflict(n):
        take = ClaimHolder(b"person", f"holder-{n}", f"permit-{n}")
        return {"holder_changes": [take]} if conflict is HolderTaken else {"answer": answer}

    with BulkAppender(ledger) as appender:
        appender.add(permit(0), **with_conflict(0), new_holder=True)
        appender.flush()
        add_new(appender, permit(1))
        appender.add(permit(2), **with_conflict(2), new_holder=True)
        appender.add(permit(3), [ClaimHolder(b"somebody", "holder-3", "permit-3")], new_holder=True)
        with pytest.raises(conflict):
            appender.flush()
        assert ["permit-0"] == streams(ledger)
        add_new(appender, permit(3))

    assert ["permit-0", "permit-3"] == streams(ledger)


def test_a_returning_person_starts_another_batch(ledger, permit, context, appended):
    """A batch contains each person once: a person whose permit ends and who gets the next one does
    not appear to hold two."""
    first, second = (
        ClaimHolder(b"person", "holder-1", "permit-1"),
        ClaimHolder(b"person", "holder-1", "permit-2"),
    )

    with BulkAppender(ledger, keeps_keys=True) as appender:
        one = permit(1)
        appender.add(one, [first], new_holder=True)
        one.cancel(CancellationReason.MOVED_AWAY, context)
        appender.add(one, [ReleaseHolder(b"person", "permit-1")])
        appender.add(permit(2, holder=1), [second])

    assert [1, 1, 1] == appended
    assert {b"person": Holder("holder-1", "permit-2")} == ledger.log.holders([b"person"])


def test_without_events_nothing_is_written(ledger, permit, appended):
    """A permit without pending events takes no position."""
    idle = permit(1)
    idle.collect_events()

    with BulkAppender(ledger) as appender:
        appender.add(idle)

    assert (0, []) == (sum(appended), streams(ledger))


def test_bulk_and_commands_share_the_one_order(ledger, issue, permit, command):
    """What was appended in bulk is a permit like any other."""
    number = issue()
    with BulkAppender(ledger) as appender:
        one = permit(1)
        index = ledger.blind_index.of(one.person.citizen_id_number)
        appender.add(one, [ClaimHolder(index, one.holder_id, one.id)], new_holder=True)
    answer = ledger.permits.cancel("permit-1", CancellationReason.MOVED_AWAY, command())

    assert (2, 3) == (answer.version, answer.position)
    assert [number, "permit-1", "permit-1"] == streams(ledger)


# -- keys --------------------------------------------------------------------------------------


@pytest.fixture
def asked(ledger, monkeypatch):
    """Whose keys the database was asked for, each time."""
    asked = []
    keys_of = ledger.event_log.holder_keys

    async def noting(holder_ids):
        asked.append([*holder_ids])
        return await keys_of(holder_ids)

    monkeypatch.setattr(ledger.event_log, "holder_keys", noting)
    return asked


def test_a_new_holder_gets_a_key(ledger, permit, asked, admin):
    """One for each, made here and stored with the permit; none is read from the database."""
    with BulkAppender(ledger) as appender:
        for n in range(3):
            add_new(appender, permit(n))

    assert [] == asked
    rows = admin.execute("SELECT holder_id FROM ledger.holder_keys ORDER BY 1").fetchall()
    assert [("holder-0",), ("holder-1",), ("holder-2",)] == rows
    assert "欧阳测试" == ledger.permit("permit-2").identity.name


def test_a_known_holders_key_is_asked_for(ledger, permit, context, asked, appended):
    """Where something is sealed with it; what is collected is written before, as the key may be
    among it."""
    first, plain = permit(1), permit(2)
    with BulkAppender(ledger) as appender:
        add_new(appender, first)
        add_new(appender, plain)
        plain.report_loss(context)
        appender.add(plain)
        assert ([], []) == (asked, appended)

        first.void("就业证明系伪造", context)
        appender.add(first)
        assert ([["holder-1"]], [3]) == (asked, appended)

    [event] = ledger.log.opened(ledger.log.stored("permit-1")[1:])
    assert "就业证明系伪造" == event.finding


def test_keys_of_new_holders_may_be_cached(ledger, permit, context, asked, appended):
    """For as long as the appender is used."""
    first = permit(1)
    with BulkAppender(ledger, keeps_keys=True) as appender:
        add_new(appender, first)
        first.void("就业证明系伪造", context)
        appender.add(first)

    assert ([], [2]) == (asked, appended)
    [event] = ledger.log.opened(ledger.log.stored("permit-1")[1:])
    assert "就业证明系伪造" == event.finding


def test_a_holder_without_a_key_is_refused(ledger, permit):
    """A new holder who was not declared as new, and one whose key is destroyed: nothing of them is
    stored in the clear, or under another key."""
    with (
        BulkAppender(ledger) as appender,
        pytest.raises(KeyUnusable, match="no key of holder holder-1"),
    ):
        appender.add(permit(1))

    assert [] == streams(ledger)


def test_an_erased_holder_is_refused(ledger, permit, admin):
    """There is no key left to encrypt with."""
    admin.execute("INSERT INTO ledger.holder_keys VALUES ('holder-1', NULL, NULL)")

    with (
        BulkAppender(ledger) as appender,
        pytest.raises(KeyUnusable, match="key of holder holder-1 is destroyed"),
    ):
        appender.add(permit(1))

    assert [] == streams(ledger)
