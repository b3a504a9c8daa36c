"""Two updates in the database must not give one person another's account."""

from dataclasses import replace

import pytest

from domain.data_protection import Order
from domain.events import CancellationReason
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.id_cards import IdCardCommands
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import connect
from ledger.errors import RegisterDiffers
from ledger.eventlog.recognition import RegisterCheck
from permit_ledger.bootstrap.workdays import MainlandWorkdays
from tests.domain.id_cards.scenario import SUBMISSION
from tests.keks import keyring
from tests.two_officers import erase as erase_by_two

SWAP = """
    UPDATE ledger.holders SET citizen_index = NULL WHERE holder_id = %(one)s;
    UPDATE ledger.holders SET citizen_index = %(of_one)s WHERE holder_id = %(other)s;
    UPDATE ledger.holders SET citizen_index = %(of_other)s WHERE holder_id = %(one)s"""


@pytest.fixture
def swap(admin):
    """``swap(one, other)``: each gets the other's index, by the database's owner."""

    def index_of(holder_id):
        [[index]] = admin.execute(
            "SELECT citizen_index FROM ledger.holders WHERE holder_id = %s", [holder_id]
        ).fetchall()
        return index

    def swap(one, other):
        of_one, of_other = index_of(one), index_of(other)
        values = {"one": one, "other": other, "of_one": of_one, "of_other": of_other}
        for statement in SWAP.split(";"):
            admin.execute(statement, values)

    return swap


@pytest.fixture
def differences(database_url, blind_index):
    """``differences()``: what the whole register is found to differ in, by holder."""

    def differences():
        check = RegisterCheck(blind_index, HolderKeys(keyring()), EventMapper(OrjsonTranscoder()))
        with connect(database_url) as connection:
            found = [one for _, page in check.whole(connection) for one in page]
            assert [] == check.unregistered(connection)
        return {one.holder_id: one.what for one in found}

    return differences


@pytest.fixture
def former(ledger, issue, command):
    """``former(number)``: the holder id of a person whose permit has ended."""

    def former(number):
        permit = issue(number)
        ledger.permits.cancel(permit, CancellationReason.MOVED_AWAY, command())
        return ledger.permit(permit).holder_id

    return former


def test_a_returning_person_gets_no_other_persons_account(
    ledger, former, swap, issue, citizen_number
):
    """The identity that is sealed in the log is compared, and nothing is written."""
    numbers = [citizen_number(), citizen_number()]
    one, other = map(former, numbers)
    head = ledger.head()
    swap(one, other)

    for number in numbers:
        with pytest.raises(RegisterDiffers):
            issue(number)

    assert head == ledger.head()
    swap(one, other)
    assert one == ledger.permit(issue(numbers[0])).holder_id


def test_a_person_whose_number_was_corrected_returns(
    ledger, issue, command, application, citizen_number, differences
):
    """The last number is the one that is compared."""
    first, corrected = citizen_number(), citizen_number()
    permit = issue(first)
    ledger.permits.correct_identity(permit, command(), citizen_id_number=corrected)
    ledger.permits.cancel(permit, CancellationReason.MOVED_AWAY, command())
    holder_id = ledger.permit(permit).holder_id

    assert holder_id == ledger.permit(issue(corrected)).holder_id
    assert {} == differences()


def test_an_applicant_gets_no_other_applicants_account(
    ledger, swap, command, blind_index, citizen_number
):
    """The same in the register of applicants for identity cards."""
    commands = IdCardCommands(
        ledger.event_log,
        ledger.event_mapper,
        blind_index=blind_index,
        workdays=MainlandWorkdays(),
    )

    def accept(given):
        answer = ledger.run(commands.accept(given, command()))
        [event] = ledger.events(answer.position, 1)
        return ledger.load(event.originator_id).holder_id

    given = [
        replace(SUBMISSION, applicant=replace(SUBMISSION.applicant, citizen_id_number=number))
        for number in (citizen_number(), citizen_number())
    ]
    one, other = map(accept, given)
    assert one == accept(given[0])
    swap(one, other)

    for each in given:
        with pytest.raises(RegisterDiffers):
            accept(each)


# -- found afterwards --------------------------------------------------------------------------


def test_a_register_as_the_log_makes_it_has_no_differences(
    ledger, issue, former, command, citizen_number, differences
):
    """With people who hold a permit, held one, came back, are restricted, and are erased."""
    issue()
    number = citizen_number()
    former(number)
    issue(number)
    order = Order("个人信息保护法第四十七条", "case-1")
    ledger.holders.restrict(ledger.permit(issue()).holder_id, order, command())
    erased = ledger.permit(issue()).holder_id
    erase_by_two(ledger, erased, order, command().context.at.date(), command())

    assert {} == differences()


CHANGES = {
    "citizen_index": "UPDATE ledger.holders SET citizen_index = 'x' WHERE holder_id = %s",
    "permit_number": "UPDATE ledger.holders SET permit_number = NULL WHERE holder_id = %s",
    "permit_numbers": "UPDATE ledger.holders SET permit_numbers = '{}' WHERE holder_id = %s",
    "restricted": "UPDATE ledger.holders SET restricted = true WHERE holder_id = %s",
    "key, citizen_index": "UPDATE ledger.holders SET kek_id = NULL, wrapped = NULL"
    " WHERE holder_id = %s",
    "former_numbers": "INSERT INTO ledger.former_numbers VALUES ('x', %s)",
}


@pytest.mark.parametrize("what", CHANGES)
def test_each_row_that_differs_is_named(ledger, issue, admin, database_url, blind_index, what):
    """With the columns, and no value; whoever changed it."""
    issue()
    holder_id = ledger.permit(issue()).holder_id
    admin.execute(CHANGES[what], [holder_id])
    check = RegisterCheck(blind_index, HolderKeys(keyring()), EventMapper(OrjsonTranscoder()))

    with connect(database_url) as connection:
        found = [one for _, page in check.whole(connection) for one in page]

    assert [(holder_id, what)] == found


def test_a_permit_that_was_hidden_is_found_beside_the_next_one(
    ledger, issue, admin, citizen_number, differences
):
    """Both are in force: every stream of a holder counts, not only the last one."""
    number = citizen_number()
    holder_id = ledger.permit(issue(number)).holder_id
    admin.execute("UPDATE ledger.holders SET permit_number = NULL")
    issue(number)

    assert {holder_id: "more than one permit that has not ended"} == differences()


def test_a_bar_that_is_gone_is_missed(
    ledger, issue, former, admin, command, citizen_number, differences
):
    """Unless the number is another person's by now, or was that of one who is erased since, or the
    correction is older than the bars."""
    first, second = citizen_number(), citizen_number()
    permit = issue(first)
    for number in (second, first):
        ledger.permits.correct_identity(permit, command(), citizen_id_number=number)
    holder_id = ledger.permit(permit).holder_id
    assert {} == differences()

    admin.execute("DELETE FROM ledger.former_numbers")
    assert {holder_id: "former_numbers"} == differences()

    admin.execute("UPDATE ledger.former_numbers_since SET position = 3")
    assert {} == differences()

    admin.execute("UPDATE ledger.former_numbers_since SET position = 0")
    ended = former(second)
    assert {} == differences()

    order = Order("个人信息保护法第四十七条", "case-1")
    erase_by_two(ledger, ended, order, command().context.at.date(), command())
    assert {} == differences()


def test_swapped_rows_are_named(former, swap, citizen_number, differences):
    """Both of them."""
    one, other = former(citizen_number()), former(citizen_number())
    swap(one, other)

    assert {one: "citizen_index", other: "citizen_index"} == differences()


def test_a_holder_who_is_gone_leaves_a_stream_on_record_for_no_one(
    issue, admin, database_url, blind_index
):
    """It is named with the position that began it."""
    permit = issue()
    admin.execute("DELETE FROM ledger.holders")
    check = RegisterCheck(blind_index, HolderKeys(keyring()), EventMapper(OrjsonTranscoder()))

    with connect(database_url) as connection:
        assert [(1, permit)] == check.unregistered(connection)
