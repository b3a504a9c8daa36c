"""Checks are on record before they are answered."""

import asyncio
from dataclasses import asdict, replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from ledger.checks import Check
from ledger.errors import Unavailable

CHECK = Check(
    check_id=UUID(int=1),
    checked_at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
    verifier="verifier-1",
    scenario="entry_exit",
    track="physical",
    permit_number="7Q2M9K4T8XW5",
    card_serial=2,
    outcome="effective",
    reason=None,
    fields=["name", "valid_until"],
    as_of_position=7,
)
REFUSED = replace(
    CHECK,
    check_id=UUID(int=2),
    permit_number=None,
    card_serial=None,
    outcome="not_effective",
    reason="scenario_not_allowed",
    fields=[],
)


@pytest.fixture
def record(database_url):
    def record(check):
        async def recording():
            async with await psycopg.AsyncConnection.connect(
                database_url, autocommit=True
            ) as connection:
                await check.record(connection)

        asyncio.run(recording())

    return record


def test_every_check_is_on_record(record, database_url):
    """Refused ones too, with everything that was asked and answered."""
    record(CHECK)
    record(REFUSED)

    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        rows = connection.execute("SELECT * FROM ledger.checks ORDER BY check_id").fetchall()
    assert [asdict(CHECK), asdict(REFUSED)] == rows


def test_a_check_that_can_not_be_recorded_is_not_answered(database_url):
    """The caller hears of it in the ledger's words."""

    async def recording():
        connection = await psycopg.AsyncConnection.connect(database_url)
        await connection.close()
        await CHECK.record(connection)

    with pytest.raises(Unavailable):
        asyncio.run(recording())
