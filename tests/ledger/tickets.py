"""Tickets as they wait for the database, and the queue in which they do."""

from eventsourcing.persistence import StoredEvent

from ledger.eventlog.append import Append
from ledger.eventlog.append_queue import AppendQueue
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from ledger.eventlog.pending import PendingAppend


def on(*streams, events=1, size=2, changes=(), key=None, portrait=None):
    """A ticket for events of these permits, each of ``size`` bytes."""
    stored = [
        StoredEvent(stream, version + 1, "test.happened.v1", b"x" * size)
        for stream in streams
        for version in range(events)
    ]
    answer = PendingAnswer(key, accepted=True, body=b"", version=1) if key else None
    return PendingAppend(Append(stored, changes, answer, portrait), 60)


def key(name, caller="officer-1"):
    return IdempotencyKey(caller, name, b"")


def filled(*pendings):
    """A queue with these in it."""
    queue = AppendQueue()
    for pending in pendings:
        queue.put(pending)
    return queue


def batches(queue):
    """All that it gives, closed: where nothing more comes, nobody waits."""
    queue.close()
    return list(iter(queue.next_batch, []))
