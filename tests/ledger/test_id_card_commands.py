"""Applications in the log: encrypted with their applicant's key, separate from permits."""

from dataclasses import replace
from datetime import date

import pytest

from domain.data_protection import Order
from domain.id_cards.stages import Stage
from domain.personal import ERASED
from domain.stream_types import EVENTS
from ledger.errors import UnknownApplication, UnknownPermit, UnreadableEvent
from ledger.eventlog.log import folded
from tests.id_card_counter import Counter, submission_of
from tests.two_officers import erase as erase_by_two

NUMBER = "990000199001010017"


@pytest.fixture
def submission(citizen_number):
    """``submission(number)``: all in order, of a new person unless named."""
    return lambda number=None: submission_of(number or citizen_number())


@pytest.fixture
def counter(ledger):
    return Counter(ledger)


def test_an_application_is_read_as_it_was_accepted(counter, submission, command):
    """From the log, with its applicant decrypted."""
    brought = submission()
    number = counter.accept(brought, command())
    application = counter.application(number)
    assert (brought.applicant, Stage.ACCEPTED) == (application.identity, application.stage)


def test_the_applicant_is_not_stored_in_the_clear(counter, submission, command, ledger):
    """Nor is the stored response."""
    brought = submission()
    number = counter.accept(brought, command(key="k"))
    counter.go(number, "dispatch", command())
    counter.go(number, "send_back", command(), "欧阳的照片不符")
    stored = b"".join(event.state for event in ledger.log.stored(number))
    for personal in ("欧阳", "照片", brought.applicant.citizen_id_number):
        assert personal.encode() not in stored


def test_both_stream_types_share_one_gapless_log(counter, submission, command, issue, ledger):
    """In the order of recording."""
    issue()
    number = counter.accept(submission(), command())
    issue()
    counter.go(number, "dispatch", command())
    log = ledger.events(1, 10)
    assert [1, 2, 3, 4] == [event.id for event in log]
    assert [
        "permit.issued.v1",
        "id-card.accepted.v1",
        "permit.issued.v1",
        "id-card.sent-to-hukou-police.v1",
    ] == [event.topic for event in log]


def test_applications_and_permits_are_not_found_as_each_other(
    counter, submission, command, issue, ledger
):
    """Neither by reads nor by commands."""
    number, permit = counter.accept(submission(), command()), issue()
    with pytest.raises(UnknownPermit):
        ledger.permit(number)
    with pytest.raises(UnknownPermit):
        ledger.permits.report_loss(number, command())
    with pytest.raises(UnknownApplication):
        counter.go(permit, "dispatch", command())
    assert [1, 2] == [event.id for event in ledger.events(1, 10)]


def test_a_stream_of_two_stream_types_is_not_read(counter, submission, command, issue, ledger):
    """No state is folded from it."""
    permit = ledger.log.opened(ledger.log.stored(issue()))
    number = counter.accept(submission(), command())
    counter.go(number, "withdraw", command())
    withdrawn = ledger.log.opened(ledger.log.stored(number))[-1]
    foreign = replace(withdrawn, originator_id=permit[0].originator_id)
    with pytest.raises(UnreadableEvent, match="another stream type"):
        folded([*permit, foreign])


def test_two_applications_of_one_person_share_a_key(counter, submission, command, ledger):
    """And one record, which names both."""
    first = counter.accept(submission(NUMBER), command())
    second = counter.accept(submission(NUMBER), command())
    holder_id = counter.application(first).holder_id
    assert holder_id == counter.application(second).holder_id
    assert (first, second) == ledger.log.holder(holder_id).permit_numbers


def test_two_concurrent_applications_of_one_person_are_accepted(
    counter, submission, command, at_once, ledger
):
    """Under one key."""
    acts = [lambda: counter.accept(submission(NUMBER), command())] * 6
    assert not [one for one in at_once(acts) if isinstance(one, Exception)]
    numbers = [event.originator_id for event in ledger.events(1, 10)]
    assert 6 == len(numbers)
    assert 1 == len({counter.application(number).holder_id for number in numbers})


def test_a_permits_holder_has_another_record(counter, submission, command, issue, ledger):
    """The registers have no index in common."""
    permit = ledger.permit(issue(NUMBER))
    application = counter.application(counter.accept(submission(NUMBER), command()))
    assert permit.holder_id != application.holder_id


def test_an_erasure_reaches_every_application_and_no_permit(
    counter, submission, command, issue, ledger
):
    """The key is destroyed together with the events."""
    permit = issue(NUMBER)
    numbers = [counter.accept(submission(NUMBER), command()) for _ in range(2)]
    holder_id = counter.application(numbers[0]).holder_id
    erase_by_two(ledger, holder_id, Order("PIPL 47", "c-1"), date(2027, 1, 1), command())
    for number in numbers:
        application = counter.application(number)
        assert (ERASED, Stage.WITHDRAWN, True) == (
            application.identity,
            application.stage,
            application.erased,
        )
    assert "欧阳测试" == ledger.permit(permit).person.name
    again = counter.accept(submission(NUMBER), command())
    assert holder_id != counter.application(again).holder_id


def test_the_log_reads_every_topic_of_every_stream_type(ledger):
    """Every event that can be written can be read."""
    assert {event.TOPIC for event in EVENTS} <= ledger.event_mapper.topics
