"""The log of registrars' reads: group-committed, each row once, whatever connections do."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from ledger.checks.registrar_reads import RegistrarRead, RegistrarReads
from ledger.database.connections import as_service
from ledger.errors import Unavailable
from projections.queries.permits import read_pool

AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
READS = 300
ROWS = "SELECT count(*), count(DISTINCT xmin::text) FROM ledger.registrar_reads"
KILL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'permit-ledger read' AND datname = current_database()
"""


def read(*subjects, read_id=None):
    return RegistrarRead(
        read_id or uuid4(), subjects, AT, "officer-1", "320211-01", "permit", "request-1"
    )


@pytest.fixture
def run(database_url):
    """``run(work)``: ``await work(reads)``, with the reads of a service."""

    def run(work):
        async def main():
            async with read_pool(as_service(database_url), connections_max=2) as pool:
                with closing(RegistrarReads(as_service(database_url), pool, wait_s=5)) as reads:
                    return await work(reads)

        return asyncio.run(main())

    return run


def test_reads_that_arrive_together_share_commits(run, admin):
    """Each is durable when its caller goes on."""

    async def work(reads):
        await asyncio.gather(*(reads.record(read(f"P{n}")) for n in range(READS)))

    run(work)

    rows, commits = admin.execute(ROWS).fetchone()
    assert READS == rows
    assert commits < READS / 10


def test_a_search_is_one_read_of_several_subjects(run):
    """A row each, the newest first in a list of one subject."""

    async def work(reads):
        search, later = read("A", "B"), read("A")
        await reads.record(search)
        await reads.record(later)
        return [
            [(one.read_id == search.read_id, one.station) for one in found]
            for found in (
                await reads.of_subject("A", 1_000, 10),
                await reads.of_subject("B", 1_000, 10),
                await reads.of_subject("A", 1_000, 1),
            )
        ]

    at = "320211-01"
    assert [[(False, at), (True, at)], [(True, at)], [(False, at)]] == run(work)


def test_a_record_that_is_sent_again_is_there_once(run, admin):
    read_id = UUID(int=7)

    async def work(reads):
        for _ in "12":
            await reads.record(read("A", "B", read_id=read_id))

    run(work)

    assert 2 == admin.execute(ROWS).fetchone()[0]


def test_records_survive_lost_connections(run, database_url, admin):
    """Those that were confirmed are there, once, though connections are killed meanwhile."""

    async def work(reads):
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as killer:
            over = asyncio.Event()

            async def kill():
                while not over.is_set():
                    await killer.execute(KILL)
                    await asyncio.sleep(0.02)

            killing = asyncio.create_task(kill())
            done = await asyncio.gather(
                *(reads.record(read(f"P{n}")) for n in range(READS)), return_exceptions=True
            )
            over.set()
            await killing
            return [n for n, outcome in enumerate(done) if outcome is None]

    confirmed = run(work)

    rows = admin.execute("SELECT subject FROM ledger.registrar_reads").fetchall()
    found = [subject for (subject,) in rows]
    assert confirmed
    assert {f"P{n}" for n in confirmed} <= set(found)
    assert len(found) == len(set(found))


def test_what_cannot_be_written_is_unavailable(run, admin):
    admin.execute(
        "REVOKE EXECUTE ON FUNCTION ledger.record_registrar_reads FROM permit_ledger_service"
    )

    async def work(reads):
        with pytest.raises(Unavailable):
            await reads.record(read("A"))

    try:
        run(work)
    finally:
        admin.execute(
            "GRANT EXECUTE ON FUNCTION ledger.record_registrar_reads TO permit_ledger_service"
        )
