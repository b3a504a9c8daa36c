"""The writers of the soak test: random permits, and a waiter that checks that writes become
visible."""

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import cast

import psycopg

from domain.context import CommandContext
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import connect
from ledger.errors import LedgerError
from permit_ledger.bootstrap.policy import load_policy
from projections.queries.waiting import ViewPosition
from tests.projections.life import Life

COMMANDS_PER_LIFE = 100
"""A few years; then another permit follows."""
PAUSE_S = 0.005
WAIT_S = 30.0
WAITER_PAUSE_S = 0.02

_VISIBLE = """
    SELECT position, EXISTS (
        SELECT FROM views.physical_permits JOIN views.electronic_permits USING (permit_number)
        WHERE permit_number = %(number)s
    ) OR EXISTS (SELECT FROM views.quarantine WHERE permit_number = %(number)s)
    FROM views.position
"""


@dataclass
class Waited:
    """``lost``: positions that did not become visible in time, or without their permit."""

    visible_ms: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def context() -> CommandContext:
    return CommandContext(
        actor="officer-1",
        station="320211-01",
        correlation_id="soak",
        at=datetime.now(UTC),
        policy=load_policy(synthetic_people=True),
    )


def live(ledger: BlockingLedger, seed: int, stop: Event) -> None:
    """One permit after the other; refusals and outages are part of it."""
    chance, by = random.Random(seed), context()  # noqa: S311  chance, not secrecy
    while not stop.is_set():
        life = Life(ledger, by, random.Random(chance.random()))  # noqa: S311
        for _ in range(COMMANDS_PER_LIFE):
            if stop.wait(PAUSE_S):
                return
            life.go_on(1)


def wait_and_look(url: str, ledger: BlockingLedger, waited: Waited, stop: Event) -> None:
    """Issue, wait for the position, and read the views, repeatedly."""
    life = Life(ledger, replace(context(), actor="officer-2"), random.Random(0))  # noqa: S311

    async def run() -> None:
        async with ViewPosition(url) as views:
            while not stop.is_set():
                with suppress(LedgerError):
                    await look(views)
                await asyncio.sleep(WAITER_PAUSE_S)

    async def look(views: ViewPosition) -> None:
        answer = await asyncio.to_thread(ledger.permits.issue, life.application(), life.command())
        committed = time.perf_counter()
        assert answer.position is not None
        if not await views.wait_for(answer.position, WAIT_S):
            waited.lost.append(f"{answer.position} not visible in time")
            return
        waited.visible_ms.append((time.perf_counter() - committed) * 1000)
        [issued] = await asyncio.to_thread(ledger.events, answer.position, 1)
        if not await asyncio.to_thread(_is_there, url, str(issued.originator_id), answer.position):
            waited.lost.append(f"{answer.position} not in the views")

    asyncio.run(run())


def _is_there(url: str, number: str, position: int) -> bool:
    """In both tracks, or quarantined; views set back a little by a crash are allowed."""
    with suppress(psycopg.OperationalError), connect(url, application_name="waiter") as connection:
        row = connection.execute(_VISIBLE, {"number": number}).fetchone()
        at, there = cast("tuple[int, bool]", row)
        return there or at < position
    return True
