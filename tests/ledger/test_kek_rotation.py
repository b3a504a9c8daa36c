"""Rotation to a new key-encryption key: every key is wrapped again, no event is changed."""

from contextlib import closing
from datetime import date

import pytest

from domain.data_protection import Order
from domain.permit import Permit
from ledger.commands.blocking import BlockingLedger
from ledger.commands.bulk import BulkAppender
from ledger.crypto import kek_rotation
from ledger.crypto.kek_register import destroy, introduce, register_of
from ledger.crypto.kek_rotation import rotate
from ledger.crypto.key_encryption import Keyring
from ledger.database.connections import as_service, connect
from ledger.errors import KeyUnusable, Unavailable
from ledger.eventlog.registry import ClaimHolder
from tests.ledger.keks import MemoryStore, Stopped
from tests.two_officers import erase as erase_by_two


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def owner(database_url):
    with connect(database_url) as owner:
        owner.execute("TRUNCATE ledger.key_encryption_keys")
        yield owner


@pytest.fixture
def open_ledger(database_url, blind_index, store, owner):
    """``open_ledger()``: a service, which knows the keys that there are when it starts."""

    def open_ledger():
        keyring = Keyring(store.load)
        introduce(owner, keyring)
        url = as_service(database_url)
        return closing(BlockingLedger(url, blind_index=blind_index, keyring=keyring))

    return open_ledger


@pytest.fixture
def ledger(open_ledger):
    with open_ledger() as ledger:
        yield ledger


@pytest.fixture
def erase(command):
    """``erase(ledger, holder_id)``: for good."""

    def erase(ledger, holder_id):
        order, until = Order("个人信息保护法第四十七条", "2026-17"), date(2027, 1, 1)
        erase_by_two(ledger, holder_id, order, until, command())

    return erase


def stored(owner, table):
    return owner.execute(f"SELECT * FROM ledger.{table} ORDER BY 1").fetchall()


def test_every_key_is_rewrapped_and_no_event_is_changed(open_ledger, issue, owner, store):
    """The old KEK is no longer needed; the log has the same bytes."""
    numbers = [issue() for _ in range(5)]
    log, before = stored(owner, "events"), stored(owner, "holder_keys")
    [old] = store.keys

    rotation = rotate(owner, store)

    assert (5, False) == (rotation.rewrapped, rotation.resumed)
    assert {rotation.kek_id} == {kek_id for _, kek_id, _ in stored(owner, "holder_keys")}
    assert {wrapped for *_, wrapped in before}.isdisjoint(
        wrapped for *_, wrapped in stored(owner, "holder_keys")
    )
    assert log == stored(owner, "events")
    destroy(owner, store, old)
    with open_ledger() as later:
        assert {"欧阳测试"} == {later.permit(number).person.name for number in numbers}


def test_progress_is_reported_batch_by_batch(issue, owner, store, monkeypatch):
    """From nothing to all."""
    monkeypatch.setattr(kek_rotation, "BATCH_KEYS_MAX", 2)
    for _ in range(5):
        issue()
    progress = []

    rotate(owner, store, lambda done, total: progress.append((done, total)))

    assert [(0, 5), (2, 5), (4, 5), (5, 5)] == progress


@pytest.mark.parametrize("wraps", range(7))
def test_an_interrupted_rotation_resumes(open_ledger, issue, owner, store, monkeypatch, wraps):
    """Wherever it was interrupted, the next run completes it, and every holder is readable
    throughout."""
    monkeypatch.setattr(kek_rotation, "BATCH_KEYS_MAX", 2)
    numbers = [issue() for _ in range(5)]
    store.wraps_left = wraps
    if wraps < 6:
        with pytest.raises(Stopped):
            rotate(owner, store)
    store.wraps_left = None
    with open_ledger() as between:
        assert {"欧阳测试"} == {between.permit(number).person.name for number in numbers}

    rotate(owner, store)

    newest = max(store.keys)
    assert {newest} == {kek_id for _, kek_id, _ in stored(owner, "holder_keys")}
    for kek_id in sorted(store.keys)[:-1]:
        if kek_id in {kek.kek_id for kek in register_of(owner)}:
            destroy(owner, store, kek_id)
    with open_ledger() as later:
        assert {"欧阳测试"} == {later.permit(number).person.name for number in numbers}


def test_a_service_that_wraps_with_the_old_kek_switches_to_the_new_one(issue, ledger, owner, store):
    """Its append conflicts with the closed KEK, so that no key can be lost with it."""
    issue()
    old = ledger.holder_keys.keyring.active.kek_id

    rotation = rotate(owner, store)
    assert old == ledger.holder_keys.keyring.active.kek_id
    number = issue()

    holder_id = ledger.permit(number).holder_id
    assert (rotation.kek_id,) == owner.execute(
        "SELECT kek_id FROM ledger.holder_keys WHERE holder_id = %s", [holder_id]
    ).fetchone()


def taken_by(permit):
    """By a new holder, under an index of its own."""
    return [ClaimHolder(permit.holder_id.encode(), permit.holder_id, permit.id)]


def test_an_import_that_wraps_with_the_old_kek_switches_to_the_new_one(
    ledger, owner, store, application, context
):
    """A rotation is no conflict for its batch: it is written, also if the old KEK is gone."""
    permits = [Permit.issue(f"permit-{n}", f"holder-{n}", application(), context) for n in range(3)]

    with BulkAppender(ledger, keeps_keys=True) as bulk:
        bulk.add(permits[0], taken_by(permits[0]), new_holder=True)
        bulk.flush()
        bulk.add(permits[1], taken_by(permits[1]), new_holder=True)
        [old], rotation = [*store.keys], rotate(owner, store)
        destroy(owner, store, old)
        bulk.flush()
        bulk.add(permits[2], taken_by(permits[2]), new_holder=True)

    assert {rotation.kek_id} == {kek_id for _, kek_id, _ in stored(owner, "holder_keys")}
    for permit in permits:
        assert permit.person == ledger.permit(permit.id).person


def test_a_destroyed_key_stays_destroyed(issue, ledger, owner, store, erase):
    """A rotation restores nothing of an erased holder."""
    number = issue()
    erase(ledger, ledger.permit(number).holder_id)

    assert 0 == rotate(owner, store).rewrapped
    assert [(None, None)] == [row[1:] for row in stored(owner, "holder_keys")]


def test_a_concurrent_erasure_is_not_undone(issue, ledger, owner, store, erase, monkeypatch):
    """The row was read before the erasure and is written after it."""
    holder_id = ledger.permit(issue()).holder_id
    found = kek_rotation.next_rows

    def erased_meanwhile(*arguments):
        rows = found(*arguments)
        if rows:
            erase(ledger, holder_id)
        return rows

    monkeypatch.setattr(kek_rotation, "next_rows", erased_meanwhile)
    rotate(owner, store)

    assert [(None, None)] == [row[1:] for row in stored(owner, "holder_keys")]


def test_only_one_rotation_runs_at_a_time(database_url, ledger, owner, store):
    """The second is refused, and creates no key."""

    def second(done, total):
        with connect(database_url) as another, pytest.raises(Unavailable):
            rotate(another, store)

    rotate(owner, store, second)

    assert 2 == len(store.keys)


def test_a_kek_in_use_is_not_destroyed(issue, ledger, owner, store):
    """Nor the active one, nor an unknown one."""
    issue()
    for kek_id in (*store.keys, "20200101T000000Z-000000"):
        with pytest.raises(KeyUnusable):
            destroy(owner, store, kek_id)
    assert 1 == len(store.keys)


def test_a_missing_kek_is_reported_before_anything_is_done(issue, ledger, owner, store):
    """A service does not start, a rotation does not begin."""
    issue()
    store.keys.clear()
    store.create()

    with pytest.raises(KeyUnusable):
        introduce(owner, Keyring(store.load))
    with pytest.raises(KeyUnusable):
        rotate(owner, store)


def test_another_kek_under_the_same_name_is_detected(ledger, owner, store):
    """By its check value."""
    [kek_id] = store.keys
    store.keys[kek_id] = type(store.keys[kek_id])(store, kek_id, b"x" * 32)

    with pytest.raises(KeyUnusable):
        introduce(owner, Keyring(store.load))


def test_a_damaged_key_does_not_delay_the_others(issue, ledger, owner, store):
    """The rotation reports how many are left, and the KEK that may still unwrap them is kept."""
    issue()
    damaged = ledger.permit(issue()).holder_id
    owner.execute("UPDATE ledger.holders SET wrapped = '' WHERE holder_id = %s", [damaged])
    [old] = store.keys

    for _ in range(2):  # nor the next rotation
        with pytest.raises(KeyUnusable, match=r"^1 holders' keys"):
            rotate(owner, store)

    assert 3 == len(store.keys)
    newest = max(store.keys)
    assert {(damaged, old)} == {row[:2] for row in stored(owner, "holder_keys") if row[1] != newest}
    with pytest.raises(KeyUnusable):
        destroy(owner, store, old)
