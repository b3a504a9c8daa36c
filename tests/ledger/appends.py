"""Appends as one command writes them, their outcomes, and a writer that hangs."""

import json
from threading import Event

from eventsourcing.persistence import StoredEvent

from ledger.database.connections import connect_to_append
from ledger.eventlog.append import Append
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from ledger.eventlog.registry import ChangeCitizenNumber, ClaimHolder, ReleaseHolder

WAIT_S = 30
HAPPENED = "test.happened.v1"
TOPICS = {
    ChangeCitizenNumber: "permit.identity-corrected.v1",
    ReleaseHolder: "permit.cancelled.v1",
}


def answer(name, body=b"", caller="officer-1"):
    """A response under this key."""
    return PendingAnswer(IdempotencyKey(caller, name, b""), accepted=True, body=body, version=1)


def on(stream, *changes, version=1, events=1, key=None, portrait=None):
    """An append to this stream, from this version on. Its events name the holder whom it claims,
    and have the topic that its change of the register needs."""
    holders = [change.holder_id for change in changes if isinstance(change, ClaimHolder)]
    state = json.dumps({"holder_id": holders[0]} if holders else {}).encode()
    topic = next((TOPICS[type(each)] for each in changes if type(each) in TOPICS), HAPPENED)
    happened = [StoredEvent(stream, version and version + n, topic, state) for n in range(events)]
    return Append(happened, changes, answer(key) if key else None, portrait)


def kinds(outcomes):
    """Errors as their classes, positions as they are."""
    return [type(each) if isinstance(each, BaseException) else each for each in outcomes]


def streams(raw_log):
    """The stream at each position, from 1 on and without a gap."""
    log = raw_log.events(1, 1000)
    assert list(range(1, len(log) + 1)) == [event.id for event in log]
    assert len(log) == raw_log.head()
    return [event.originator_id for event in log]


def outcome_of(future):
    """An append's positions, or its error."""
    return future.exception(WAIT_S) or future.result()


class HangingLog:
    """A log whose writer hangs while it connects, until it is let go."""

    WAIT_S = 2.0

    def __init__(self, new_raw_log):
        self.connecting, self._go = Event(), Event()
        self.log = new_raw_log(connect=self._connect, wait_s=self.WAIT_S)

    def let_go(self):
        self._go.set()

    def _connect(self, url):
        self.connecting.set()
        assert self._go.wait(WAIT_S), "it was never let go"
        return connect_to_append(url)
