"""Witnesses without end: rounds in a thread of their own, with a connection of their own.

A witness that is slow, or lies, delays no integration; the others wait for it ten seconds at most,
and less often the longer it fails.
"""

from __future__ import annotations

import asyncio
from threading import Event

import httpx

from ..database import Connection, connect
from ..errors import Unavailable
from ..named_sql import Queries
from ..outage import OUTAGES, Outage
from .add_checkpoint import witness_client
from .policy import WitnessPolicy
from .witnesses import WitnessRound

LOCK = 0x7769746E  # "witn"
LEAD_POLL_S = 2.0

_sql = Queries("ledger", "sql/tree.sql")


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
        self._round = WitnessRound(origin, policy, stop, interval_s=interval_s)
        self._interval_s = interval_s
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
                        self._go_around(connection, client, loop, outage)
                except (*OUTAGES, Unavailable) as error:
                    self._stop.wait(outage.pause_s(error))
            loop.run(client.aclose())

    def _lead(self, connection: Connection) -> None:
        """Wait until nobody else does; the lock goes with the connection."""
        while not self._stop.is_set():
            if connection.execute(_sql.try_to_integrate, [LOCK]).fetchone() == (True,):
                return
            self._stop.wait(LEAD_POLL_S)

    def _go_around(
        self,
        connection: Connection,
        client: httpx.AsyncClient,
        loop: asyncio.Runner,
        outage: Outage,
    ) -> None:
        while not self._stop.is_set():
            loop.run(self._round.go(connection, client))
            outage.is_over()
            self._stop.wait(self._interval_s)
