"""Appends that wait for the writer, and the queue in which they wait."""

import asyncio

from eventsourcing.persistence import StoredEvent

from ledger.eventlog.append import Append
from ledger.eventlog.group_commit import AppendQueue, PendingAppend
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer

_loop = asyncio.new_event_loop()  # never runs


def on(*streams, events=1, size=2, changes=(), key=None, portrait=None):
    """One for events of these streams, each of ``size`` bytes."""
    stored = [
        StoredEvent(stream, version + 1, "test.happened.v1", b"x" * size)
        for stream in streams
        for version in range(events)
    ]
    answer = PendingAnswer(key, accepted=True, body=b"", version=1) if key else None
    return PendingAppend(Append(stored, changes, answer, portrait), 60, _loop.create_future())


def key(name, caller="officer-1"):
    return IdempotencyKey(caller, name, b"")


def filled(*pendings):
    """A queue with these in it."""
    queue = AppendQueue()
    for pending in pendings:
        queue.put(pending)
    return queue


def batches(queue):
    """All batches of a queue, which is closed so that the last one is not waited for."""
    queue.close()
    return list(iter(queue.next_batch, []))
