"""The library finds our parts, and no others."""

import pytest
from eventsourcing.persistence import InfrastructureFactory, NotSupportedError

from ledger.eventlog.persistence import LedgerFactory
from ledger.eventlog.recorder import LedgerRecorder


@pytest.fixture
def factory(database_url):
    factory = InfrastructureFactory.construct(
        {
            "PERSISTENCE_MODULE": "ledger.eventlog.persistence:LedgerFactory",
            "DATABASE_URL": database_url,
            "DATABASE_CONNECTIONS_MAX": "2",
        }
    )
    yield factory
    factory.close()


def test_the_library_finds_our_factory(factory, stored):
    """By the application's environment."""
    recorder = factory.application_recorder()

    assert (LedgerFactory, LedgerRecorder) == (type(factory), type(recorder))
    assert [1] == recorder.insert_events([stored("a", 1)])


@pytest.mark.parametrize("kind", ["aggregate_recorder", "tracking_recorder", "process_recorder"])
def test_there_is_no_other_recorder(factory, kind):
    """One log; what else the library would keep beside it is refused, not quietly kept."""
    with pytest.raises(NotSupportedError):
        getattr(factory, kind)()


def test_a_closed_ledger_keeps_no_connection(ledger, issue, admin, until):
    """Whoever closes it gives everything back."""
    issue()
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
    me = admin.info.backend_pid
    assert admin.execute(mine, [me]).fetchone()[0] >= 1

    ledger.close()

    until(lambda: admin.execute(mine, [me]).fetchone()[0] == 0)
