"""An audit read is recorded once, durably, or is not answered."""

import asyncio
from datetime import UTC, datetime

import pytest

from ledger.checks.audit_reads import AuditRead, AuditReads
from ledger.database.connections import as_service
from ledger.errors import Unavailable
from projections.queries.permits import read_pool

READ = AuditRead(
    read_at=datetime(2026, 11, 23, 2, tzinfo=UTC),
    reader="officer-7",
    case="2026-A-1",
    what="state",
    subject="7Q2M9K4T8XW5",
    parameters={"at": "2026-01-05T09:00:00+08:00"},
    outcome="answered",
    correlation_id="request-1",
)
ENDED = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def reading(database_url):
    """``reading(scenario)``: what ``await scenario(reads)`` gives, over one connection."""

    def reading(scenario):
        async def run():
            async with read_pool(as_service(database_url), connections_max=1) as pool:
                return await scenario(AuditReads(pool))

        return asyncio.run(run())

    return reading


def test_a_recorded_read_is_returned_unchanged(reading):
    """With its position."""

    async def scenario(reads):
        await reads.record(READ)
        return await reads.recent(None, 10, 10)

    [found] = reading(scenario)
    assert (1, READ) == (found.position, found.read)


def test_a_connection_that_died_in_the_pool_costs_no_record(reading, admin):
    """The read is recorded on the next connection, once."""

    async def scenario(reads):
        await reads.record(READ)
        assert admin.execute(ENDED).rowcount >= 1
        await reads.record(READ)
        return await reads.recent(READ.subject, 10, 10)

    assert [READ, READ] == [found.read for found in reading(scenario)]


@pytest.mark.parametrize(
    "harm",
    [
        "DROP TABLE ledger.audit_reads CASCADE",
        "REVOKE EXECUTE ON FUNCTION ledger.record_read FROM permit_ledger_service",
        "ALTER TABLE ledger.audit_reads ADD CHECK (reader <> 'officer-7')",
    ],
    ids=["no table", "no right", "not taken"],
)
def test_any_failure_to_record_is_unavailable(reading, admin, harm):
    """The caller may retry."""
    admin.execute(harm)

    with pytest.raises(Unavailable):
        reading(lambda reads: reads.record(READ))


def test_reads_of_one_subject_can_be_listed(reading):
    """The newest first, in pages."""

    async def scenario(reads):
        for subject in ("A", "B", "A", None, "A"):
            await reads.record(AuditRead(**{**fields, "subject": subject}))
        first = await reads.recent("A", 10, 2)
        return first, await reads.recent("A", first[-1].position, 2), await reads.recent(None, 9, 9)

    fields = {name: getattr(READ, name) for name in AuditRead.__dataclass_fields__}
    first, second, every = reading(scenario)
    assert ([5, 3], [1]) == ([one.position for one in first], [one.position for one in second])
    assert ["A", None, "A", "B", "A"] == [one.read.subject for one in every]
