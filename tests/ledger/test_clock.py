"""The ledger's clock."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.calendar import SHANGHAI
from ledger.database.clock import DevelopmentClock, SystemClock
from ledger.errors import Unavailable

AN_HOUR = timedelta(hours=1)


def test_the_system_clock_is_the_machines():
    """Aware, in UTC."""
    before = datetime.now(UTC)
    now = SystemClock().now()

    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC


def test_a_development_clock_that_was_never_set_is_the_machines(database_url):
    """Before and after it has read the setting."""
    clock = DevelopmentClock(database_url)
    for _ in range(2):
        before = datetime.now(UTC)
        assert before <= clock.now() <= datetime.now(UTC)
        clock.load()


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2031, 2, 28, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2016, 1, 1, tzinfo=SHANGHAI),
    ],
    ids=["ahead", "back"],
)
def test_time_continues_from_the_set_instant(database_url, instant):
    """Aware, in UTC, also if it was set in Shanghai's time."""
    clock = DevelopmentClock(database_url)

    clock.set(instant)

    first, second = clock.now(), clock.now()
    assert instant <= first <= second < instant + AN_HOUR
    assert first.tzinfo is UTC


def test_another_process_reads_the_setting(database_url):
    """At its next look-up; until then it has its own."""
    here, elsewhere = DevelopmentClock(database_url), DevelopmentClock(database_url)
    here.set(datetime(2031, 2, 28, tzinfo=UTC))
    assert elsewhere.now() < datetime(2031, 2, 28, tzinfo=UTC)

    elsewhere.load()

    assert here.now() <= elsewhere.now() <= here.now() + AN_HOUR


def test_the_last_setting_counts(database_url):
    """Settings are not added up."""
    clock = DevelopmentClock(database_url)
    clock.set(datetime(2031, 2, 28, tzinfo=UTC))
    clock.set(datetime(2027, 2, 28, tzinfo=UTC))

    afterwards = DevelopmentClock(database_url)
    afterwards.load()

    assert datetime(2027, 2, 28, tzinfo=UTC) <= afterwards.now()
    assert afterwards.now() < datetime(2027, 2, 28, tzinfo=UTC) + AN_HOUR


def test_a_clock_whose_database_is_gone_reports_it():
    """It keeps its time."""
    clock = DevelopmentClock("host=/nowhere dbname=none")

    with pytest.raises(Unavailable):
        clock.load()
    with pytest.raises(Unavailable):
        clock.set(datetime(2031, 2, 28, tzinfo=UTC))

    assert clock.now() < datetime(2031, 2, 28, tzinfo=UTC)
