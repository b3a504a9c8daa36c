"""The event log without commands, as one process has it, for tests that run in threads."""

from concurrent.futures import Future

from eventsourcing.persistence import StoredEvent
from psycopg.rows import args_row

from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import EventLoopThread
from ledger.crypto.holder_keys import HolderKeys, WrappedKey
from ledger.database.connections import async_pool, connect_to_append
from ledger.eventlog.append import Append, AppendWriter
from ledger.eventlog.bulk_append import BulkWriter
from ledger.eventlog.group_commit import WAIT_S, GroupCommit
from ledger.eventlog.log import EventLog
from ledger.eventlog.notifier import notifier_at
from ledger.eventlog.reads import Pool, read_rows
from tests.keks import keyring

CONNECTIONS_MAX = 4


async def wrapped_keys(pool: Pool, holder_ids: list[str]) -> list[WrappedKey]:
    """The holders' keys as they are stored."""
    query = (
        "SELECT holder_id, kek_id, wrapped FROM ledger.holder_keys WHERE holder_id = ANY(%(ids)s)"
    )
    return await read_rows(pool, query, {"ids": holder_ids}, args_row(WrappedKey))


class RawLog:
    """Has the methods of ``EventLog``, each returning when it is done.

    ``connect`` makes the connections of its group commit, ``batches`` writes its batches,
    ``committed`` is called beside the notifier.
    """

    def __init__(
        self, url, *, connect=connect_to_append, batches=None, committed=None, wait_s=WAIT_S
    ):
        self._notifier = notifier_at(url)
        self._committed = committed
        self.loop = EventLoopThread()
        self.commits = GroupCommit(
            lambda: connect(url),
            batches or AppendWriter(),
            committed=self._notify,
            wait_s=wait_s,
        )
        self._bulk = BulkWriter(url, committed=self._notify)
        self._pool = async_pool(url, connections_max=CONNECTIONS_MAX)
        self.loop.run(self._pool.open())
        mapper = EventMapper(OrjsonTranscoder())
        log = EventLog(self.commits, self._pool, mapper, HolderKeys(keyring()))
        self._log = self.loop.blocking(log)

    def __getattr__(self, name):
        return getattr(self._log, name)

    def start(self, append: Append) -> Future[list[int]]:
        """Queue an append after those started before; returns at once."""
        return self.loop.start(self.commits.append(append))

    def append_events(self, events: list[StoredEvent]) -> list[int]:
        return self.append(Append(events))

    def append_all(self, appends: list[Append]) -> list[int]:
        return self._bulk.append_all(appends)

    def wrapped_keys(self, holder_ids: list[str]) -> list[WrappedKey]:
        return self.loop.run(wrapped_keys(self._pool, holder_ids))

    def close(self):
        self.commits.close()
        self._bulk.close()
        self.loop.run(self._pool.close())
        self._notifier.close()
        self.loop.close()

    def _notify(self):
        self._notifier.notify()
        if self._committed:
            self._committed()
