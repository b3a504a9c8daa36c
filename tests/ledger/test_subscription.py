"""The library's way to follow the log."""

from threading import Thread

import pytest
from eventsourcing.projection import ApplicationSubscription

from domain.events import CardReportedLost, LossLifted
from ledger.errors import LogBehind, UnreadableEvent


@pytest.fixture
def life(ledger, issue, command):
    """Four events of one permit: issued, lost, found, lost."""
    number = issue()
    ledger.report_loss(number, command())
    ledger.lift_loss(number, command())
    ledger.report_loss(number, command())
    return number


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize(
    ("options", "positions"),
    [
        ({}, [1, 2, 3, 4]),
        ({"gt": 2}, [3, 4]),
        ({"topics": [CardReportedLost.TOPIC]}, [2, 4]),
        ({"gt": 2, "topics": [LossLifted.TOPIC, CardReportedLost.TOPIC]}, [3, 4]),
    ],
)
def test_a_subscription_gives_events_one_by_one(ledger, options, positions):
    """After a position, of some topics."""
    with ledger.log.subscribe(**options) as subscription:
        assert positions == [next(subscription).id for _ in positions]


def test_a_subscription_goes_on_with_what_comes(ledger, issue, life, command):
    """It blocks at the end of the log until there is more."""
    with ledger.log.subscribe(gt=4) as subscription:
        later = Thread(target=lambda: ledger.lift_loss(life, command()))
        later.start()

        event = next(subscription)

        later.join()
    assert (5, LossLifted.TOPIC) == (event.id, event.topic)


def test_a_subscription_that_is_stopped_ends(ledger, issue):
    """Whoever waits in it goes on."""
    issue()
    read = []
    subscription = ledger.log.subscribe()
    reader = Thread(target=lambda: read.extend(subscription), daemon=True)
    reader.start()

    subscription.stop()
    reader.join(30)

    assert not reader.is_alive()
    assert [event.id for event in read] in ([], [1])


@pytest.mark.usefixtures("life")
def test_a_subscription_to_a_log_that_was_longer_ends(ledger):
    """It does not wait for others' events to come under positions that were read."""
    with ledger.log.subscribe(gt=5) as subscription, pytest.raises(LogBehind):
        next(subscription)


@pytest.mark.usefixtures("life")
def test_the_librarys_own_subscription_stands_on_it(ledger):
    """It gives domain events, read by our mapper, with the position of each; what is sealed it has
    no key for, and says so."""
    with ApplicationSubscription(ledger, gt=1) as subscription:
        read = [next(subscription) for _ in range(3)]

    assert [CardReportedLost, LossLifted, CardReportedLost] == [type(event) for event, _ in read]
    assert [2, 3, 4] == [tracking.notification_id for _, tracking in read]
    with (
        ApplicationSubscription(ledger) as subscription,
        pytest.raises(UnreadableEvent, match="There is no key of holder"),
    ):
        next(subscription)


@pytest.mark.usefixtures("life")
def test_leaving_a_subscription_gives_its_connection_back(ledger, admin, until):
    """Whoever has seen enough keeps none, whatever is left to read."""
    with ledger.log.subscribe() as subscription:
        assert next(subscription).id == 1

    listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    until(lambda: admin.execute(listening, ["permit-ledger follow"]).fetchone() == (0,), wait_s=3)
    with pytest.raises(StopIteration):
        next(subscription)
