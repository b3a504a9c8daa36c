"""P2: one person, one permit, whatever the order of commands."""

from collections import Counter
from contextlib import closing

import pytest

from domain.data_protection import Order
from domain.errors import AlreadyHoldsPermit, HolderIsRestricted, NumberOnRecord
from domain.events import CancellationReason
from ledger.commands.blocking import BlockingLedger
from tests.keks import keyring

ORDER = Order("PIPL 47", "case 2026-7")
THREADS = 8
ROUNDS = 5


@pytest.fixture
def elsewhere(database_url, blind_index):
    """The same ledger in another process."""
    with closing(
        BlockingLedger(database_url, blind_index=blind_index, keyring=keyring())
    ) as elsewhere:
        yield elsewhere


@pytest.mark.parametrize("processes", [1, 2])
def test_p02_of_many_concurrent_issues_one_succeeds(
    processes, ledger, elsewhere, application, command, at_once, citizen_number
):
    """The others are refused, and the log has one permit."""
    ledgers = [ledger, elsewhere][:processes]
    for already in range(ROUNDS):
        wanted = application(citizen_number())

        outcomes = at_once(
            [
                lambda by=ledgers[n % processes], wanted=wanted: by.permits.issue(wanted, command())
                for n in range(THREADS)
            ]
        )

        refused = Counter(type(outcome) for outcome in outcomes)
        assert THREADS - 1 == refused[AlreadyHoldsPermit], outcomes
        assert already + 1 == ledger.head()


def test_p02_a_second_permit_is_refused(issue, citizen_number):
    """However the number is written."""
    person = citizen_number()
    while not person.endswith("X"):
        person = citizen_number()
    issue(person)

    for spelling in (person, person.lower()):
        with pytest.raises(AlreadyHoldsPermit):
            issue(spelling)


@pytest.mark.parametrize("end", ["cancelled", "voided"])
def test_p02_after_a_permits_end_another_may_be_issued(ledger, issue, command, citizen_number, end):
    """Only one."""
    person = citizen_number()
    first = issue(person)
    if end == "cancelled":
        ledger.permits.cancel(first, CancellationReason.MOVED_AWAY, command())
    else:
        ledger.permits.void(first, "就业证明系伪造", command())

    second = issue(person)

    assert first != second
    with pytest.raises(AlreadyHoldsPermit):
        issue(person)


def test_p02_of_many_concurrent_issues_to_a_former_holder_one_succeeds(
    ledger, issue, application, command, at_once, citizen_number
):
    """A known holder without a permit is protected like a new one."""
    person = citizen_number()
    ledger.permits.cancel(issue(person), CancellationReason.MOVED_AWAY, command())

    outcomes = at_once([lambda: ledger.permits.issue(application(person), command())] * THREADS)

    assert THREADS - 1 == sum(isinstance(each, AlreadyHoldsPermit) for each in outcomes)
    assert ledger.head() == 3


def test_p02_a_correction_bars_both_numbers(ledger, issue, command, citizen_number):
    """The right number is taken; the former one is barred while the permit lasts."""
    former, right = citizen_number(), citizen_number()
    number = issue(former)

    ledger.permits.correct_identity(number, command(), citizen_id_number=right)

    with pytest.raises(AlreadyHoldsPermit):
        issue(right)
    with pytest.raises(AlreadyHoldsPermit, match="corrected"):
        issue(former)
    other = issue()
    with pytest.raises(AlreadyHoldsPermit):
        ledger.permits.correct_identity(other, command(), citizen_id_number=former)


def test_p02_former_numbers_accumulate_and_may_be_restored(ledger, issue, command, citizen_number):
    """Each correction bars one more; a correction back is allowed."""
    first, second, third = (citizen_number() for _ in range(3))
    number = issue(first)
    for right in (second, third, first):
        ledger.permits.correct_identity(number, command(), citizen_id_number=right)

    assert first == ledger.permit(number).identity.citizen_id_number
    for barred in (first, second, third):
        with pytest.raises(AlreadyHoldsPermit):
            issue(barred)


def test_p02_a_former_number_is_another_persons_after_the_end(
    ledger, issue, command, citizen_number
):
    """Two people may have had one number; nothing of the first one's record goes to the second."""
    former, right = citizen_number(), citizen_number()
    number = issue(former)
    ledger.permits.correct_identity(number, command(), citizen_id_number=right)
    ledger.permits.cancel(number, CancellationReason.MOVED_AWAY, command())

    other = issue(former)

    assert ledger.permit(other).holder_id != ledger.permit(number).holder_id
    again = issue(right)
    assert ledger.permit(again).holder_id == ledger.permit(number).holder_id
    with pytest.raises(AlreadyHoldsPermit):
        issue(former)


def test_p02_a_concurrent_correction_and_issue_to_the_former_number_are_ordered(
    ledger, issue, application, command, at_once, citizen_number
):
    """The number is free before the correction, and barred after it."""
    for _ in range(ROUNDS):
        former, right = citizen_number(), citizen_number()
        number = issue(former)

        corrected, issued = at_once(
            [
                lambda n=number, to=right: ledger.permits.correct_identity(
                    n, command(), citizen_id_number=to
                ),
                lambda to=former: ledger.permits.issue(application(to), command()),
            ]
        )

        assert not isinstance(corrected, Exception), corrected
        assert isinstance(issued, AlreadyHoldsPermit), issued


def test_p02_a_corrected_number_is_free_after_the_end(ledger, issue, command, citizen_number):
    """The end releases the person under whose index the permit is then."""
    right = citizen_number()
    number = issue()
    ledger.permits.correct_identity(number, command(), citizen_id_number=right)
    ledger.permits.cancel(number, CancellationReason.MOVED_AWAY, command())

    assert issue(right)


def test_p02_a_correction_onto_a_holders_number_is_refused(ledger, issue, command, citizen_number):
    """One person would have two open permits; nothing is appended, and the key gets the same
    refusal again."""
    taken, own = citizen_number(), citizen_number()
    issue(taken)
    number = issue(own)

    with pytest.raises(AlreadyHoldsPermit):
        ledger.permits.correct_identity(number, command(key="key-1"), citizen_id_number=taken)

    again = ledger.permits.correct_identity(number, command(key="key-1"), citizen_id_number=taken)
    assert (False, True) == (again.accepted, again.replayed)
    assert own == ledger.permit(number).identity.citizen_id_number
    assert ledger.head() == 2


def test_p02_of_two_concurrent_corrections_to_one_number_one_succeeds(
    ledger, issue, command, at_once, citizen_number
):
    for _ in range(ROUNDS):
        right = citizen_number()
        numbers = [issue(), issue()]

        outcomes = at_once(
            [
                lambda n=n, right=right: ledger.permits.correct_identity(
                    n, command(), citizen_id_number=right
                )
                for n in numbers
            ]
        )

        assert 1 == sum(isinstance(each, AlreadyHoldsPermit) for each in outcomes), outcomes


def test_p02_a_correction_to_a_number_with_an_earlier_record_is_refused(
    ledger, issue, command, citizen_number
):
    """The person had a permit under the right number before: taking the number over would leave
    that record without a number, and its erasure would not reach this permit."""
    right, wrong = citizen_number(), citizen_number()
    earlier = issue(right)
    ledger.permits.cancel(earlier, CancellationReason.MOVED_AWAY, command())
    number = issue(wrong)

    with pytest.raises(NumberOnRecord):
        ledger.permits.correct_identity(number, command(), citizen_id_number=right)

    assert wrong == ledger.permit(number).person.citizen_id_number
    ledger.permits.cancel(number, CancellationReason.RENOUNCED, command())
    assert ledger.permit(earlier).holder_id == ledger.permit(issue(right)).holder_id


def test_p02_a_restricted_persons_number_cannot_be_taken_over_by_a_correction(
    ledger, issue, command, citizen_number
):
    """A permit issued to an invented number and corrected to this one would show the person's
    details in spite of the restriction."""
    restricted = citizen_number()
    earlier = issue(restricted)
    holder_id = ledger.permit(earlier).holder_id
    ledger.permits.cancel(earlier, CancellationReason.MOVED_AWAY, command())
    ledger.holders.restrict(holder_id, ORDER, command())
    number = issue()

    with pytest.raises(HolderIsRestricted):
        ledger.permits.correct_identity(number, command(), citizen_id_number=restricted)

    ledger.holders.lift_restriction(holder_id, ORDER, command())
    with pytest.raises(NumberOnRecord):
        ledger.permits.correct_identity(number, command(), citizen_id_number=restricted)
