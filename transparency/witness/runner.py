"""Asks witnesses without end, in a thread of its own with a connection of its own.

A witness that is slow, or lies, delays no integration.
"""

from __future__ import annotations

import asyncio
from threading import Event

import structlog

from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.database.outage import OUTAGES, Outage
from ledger.errors import Unavailable

from .add_checkpoint import witness_client
from .policy import WitnessPolicy
from .witnesses import Witnesses

LOCK = 0x7769746E  # "witn"
LEAD_POLL_S = 2.0
STOPPED_S = 10.0
"""How long they are left alone after something that nobody expected."""

_sql = Queries("transparency", "sql/tree.sql")
_log = structlog.get_logger(__name__)


class WitnessRunner:
    """Of all processes that run it, one asks. ``origin`` is the ledger's."""

    def __init__(
        self,
        database_url: str,
        origin: str,
        policy: WitnessPolicy,
        stop: Event,
        *,
        interval_s: float,
    ) -> None:
        self._database_url = database_url
        self._witnesses = Witnesses(origin, policy, stop, interval_s=interval_s)
        self._stop = stop

    def run(self) -> None:
        """Until ``stop``."""
        outage = Outage()
        with asyncio.Runner() as loop:
            client = witness_client()
            while not self._stop.is_set():
                try:
                    with connect(
                        self._database_url, application_name="permit-ledger witnesses"
                    ) as connection:
                        self._lead(connection)
                        outage.is_over()
                        loop.run(self._witnesses.ask(connection, client))
                except (*OUTAGES, Unavailable) as error:
                    self._stop.wait(outage.pause_s(error))
                except Exception as error:  # noqa: BLE001  standing still beats ending
                    _log.error("witnesses are not asked", error=type(error).__name__)
                    self._stop.wait(STOPPED_S)
            loop.run(client.aclose())

    def _lead(self, connection: Connection) -> None:
        """Wait until nobody else does; the lock goes with the connection."""
        while not self._stop.is_set():
            if connection.execute(_sql.try_to_integrate, [LOCK]).fetchone() == (True,):
                return
            self._stop.wait(LEAD_POLL_S)
