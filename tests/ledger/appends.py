"""Appends as one command writes them, and what became of a batch of them."""

from eventsourcing.persistence import StoredEvent

from ledger.append import Append
from ledger.idempotency import IdempotencyKey, PendingAnswer


def answer(name, body=b"", caller="officer-1"):
    """To be kept under this key."""
    return PendingAnswer(IdempotencyKey(caller, name, b""), accepted=True, body=body, version=1)


def on(stream, *changes, version=1, events=1, key=None, portrait=None):
    """Of this permit, from this version on."""
    happened = [
        StoredEvent(stream, version and version + n, "test.happened.v1", b"{}")
        for n in range(events)
    ]
    return Append(happened, changes, answer(key) if key else None, portrait)


def kinds(outcomes):
    """Errors by their kind, positions as they are."""
    return [type(each) if isinstance(each, BaseException) else each for each in outcomes]


def streams(recorder):
    """Whose event stands at each position, from 1 on and without a gap."""
    log = recorder.select_notifications(None, 1000)
    assert list(range(1, len(log) + 1)) == [event.id for event in log]
    assert len(log) == recorder.head()
    return [event.originator_id for event in log]
