"""The factory that the library finds by ``PERSISTENCE_MODULE``."""

from __future__ import annotations

from typing import Any, NoReturn

from eventsourcing.persistence import InfrastructureFactory, NotSupportedError, TrackingRecorder
from eventsourcing.utils import Environment, EnvType

from ledger.database.connections import connect, connect_to_append, open_pool

from .group_commit import GroupCommit
from .notifier import LogNotifier
from .recorder import LedgerRecorder


class LedgerFactory(InfrastructureFactory[TrackingRecorder]):
    """Owns the command side's connections: a pool to read, one to append.

    Reads ``DATABASE_URL`` and ``DATABASE_CONNECTIONS_MAX`` from the application's environment.
    """

    DATABASE_URL = "DATABASE_URL"
    CONNECTIONS_MAX = "DATABASE_CONNECTIONS_MAX"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env[self.DATABASE_URL]
        self.pool = open_pool(url, connections_max=int(self.env[self.CONNECTIONS_MAX]))
        self.bell = LogNotifier(lambda: connect(url, application_name="permit-ledger bell"))
        self.commits = GroupCommit(lambda: connect_to_append(url), committed=self.bell.ring)

    def application_recorder(self) -> LedgerRecorder:
        return LedgerRecorder(self.pool, self.commits, committed=self.bell.ring)

    def close(self) -> None:
        self.commits.close()
        self.bell.close()
        self.pool.close()

    def aggregate_recorder(self, purpose: str = "events") -> NoReturn:
        raise NotSupportedError(f"the ledger keeps no {purpose} beside its log")

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> NoReturn:  # noqa: ARG002
        raise NotSupportedError("projections keep their own positions")

    def process_recorder(self) -> NoReturn:
        raise NotSupportedError("projections keep their own positions")
