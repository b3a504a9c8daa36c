"""Appends as one command writes them, what became of a batch of them, and a writer that hangs."""

from threading import Event

from eventsourcing.persistence import StoredEvent

from ledger.database.connections import as_service, connect_to_append
from ledger.eventlog.append import Append
from ledger.eventlog.group_commit import GroupCommit
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer

WAIT_S = 30


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


class HangingCommits(GroupCommit):
    """Hangs in its first connecting until it is let go."""

    def __init__(self, database_url, **how):
        super().__init__(lambda: self._connect_late(as_service(database_url)), **how)
        self.connecting, self._go = Event(), Event()

    def let_go(self):
        """From now on its callers have time."""
        self.wait_s, self.answer_in_s = WAIT_S + 1, WAIT_S
        self._go.set()

    def _connect_late(self, url):
        self.connecting.set()
        assert self._go.wait(WAIT_S), "it was never let go"
        return connect_to_append(url)
