"""An erasure, concurrent with everything else that may happen."""

import asyncio
from contextlib import closing
from datetime import date

import pytest

from domain.data_protection import Order
from domain.errors import AlreadyHoldsPermit, HolderIsRestricted, PermitEnded, Refused
from domain.events import CancellationReason, HolderErased, ReplacementReason
from domain.person import Residence
from domain.personal import ERASED
from ledger.commands.blocking import BlockingLedger
from ledger.crypto.portraits import Portrait
from ledger.errors import Conflict
from ledger.eventlog.idempotency import Answer
from tests.keks import keyring
from tests.ledger.raw_log import wrapped_keys
from tests.two_officers import erase as erase_by_two

ORDER = Order("PIPL 47", "case 2026-7")
UNTIL = date(2026, 12, 28)
NEW_HOME = Residence("320281", "澄江中路2号")
PICTURE = Portrait.of(b"\xff\xd8\xff a face \xff\xd9")
ROUNDS = 8


@pytest.fixture
def erase(ledger, command):
    return lambda holder_id: erase_by_two(ledger, holder_id, ORDER, UNTIL, command())


@pytest.fixture
def acts(ledger, command, application, phone, face_match, erase):
    """``acts(number, holder_id, person)``: eight things that may happen to them at once."""

    def acts(number, holder_id, person):
        by = command()
        return {
            "erase": lambda: erase(holder_id),
            "erase too": lambda: erase(holder_id),
            "restrict": lambda: ledger.holders.restrict(holder_id, ORDER, by),
            "move": lambda: ledger.permits.change_address(number, NEW_HOME, date(2026, 11, 1), by),
            "correct": lambda: ledger.permits.correct_identity(number, by, name="欧阳改名"),
            "claim": lambda: ledger.permits.claim(
                number, holder_id, phone(1), face_match, by, confirmed=True
            ),
            "cancel": lambda: ledger.permits.cancel(number, CancellationReason.MOVED_AWAY, by),
            "issue": lambda: ledger.permits.issue(application(person), by, PICTURE),
        }

    return acts


@pytest.fixture
def require_erased(ledger, admin):
    """``require_erased(holder_id)``: of the holder there is nothing left but plain history, whose
    last event says so in each permit."""

    def require_erased(holder_id):
        record = ledger.log.holder(holder_id)
        assert record.citizen_index is None
        assert [(holder_id, None, None)] == ledger.run(wrapped_keys(ledger.pool, [holder_id]))
        pictures = "SELECT count(*) FROM ledger.portraits WHERE stream = ANY (%s)"
        assert (0,) == admin.execute(pictures, [list(record.permit_numbers)]).fetchone()
        for number in record.permit_numbers:
            topics = [event.topic for event in ledger.log.stored(number)]
            assert [HolderErased.TOPIC] == topics[-1:]
            assert 1 == topics.count(HolderErased.TOPIC)
        return record.permit_numbers

    return require_erased


@pytest.fixture
def streams_of(ledger, admin):
    """``streams_of(holder_id)``: every stream of the log that holds anything of the holder, by
    what its seals say."""

    def streams_of(holder_id):
        return {
            stream
            for (stream,) in admin.execute(
                "SELECT DISTINCT stream FROM ledger.readable_events"
                " WHERE facts -> 'sealed' ->> 'holder' = %(id)s OR facts ->> 'holder_id' = %(id)s",
                {"id": holder_id},
            ).fetchall()
        }

    return streams_of


def test_an_erasure_among_concurrent_commands_leaves_nothing(
    ledger, issue, citizen_number, acts, at_once, require_erased, streams_of
):
    """A command before it is erased with the rest, one after it finds an ended permit; a person who
    is issued a permit then is a new holder."""
    won = set()
    for _ in range(ROUNDS):
        person = citizen_number()
        number = issue(person)
        holder_id = ledger.permit(number).holder_id
        running = acts(number, holder_id, person)

        outcomes = dict(zip(running, at_once([*running.values()]), strict=True))

        assert isinstance(outcomes["erase"], Answer)
        assert isinstance(outcomes["erase too"], Answer)
        for outcome in outcomes.values():
            assert isinstance(outcome, Answer | Refused | Conflict), outcome
        won |= {name for name, outcome in outcomes.items() if isinstance(outcome, Answer)}
        assert {*require_erased(holder_id)} == streams_of(holder_id)
        require_whole(ledger, outcomes["issue"], holder_id)
    assert {"erase", "erase too"} < won


def require_whole(ledger, issued, holder_id):
    """What was issued is the erased holder's and erased, or a new holder's and readable."""
    if not isinstance(issued, Answer):
        return
    [stored] = ledger.events(issued.position, 1)
    permit = ledger.permit(stored.originator_id)
    assert permit.erased is (permit.holder_id == holder_id) is (permit.identity is ERASED)


def test_an_erasure_and_new_permits_of_the_same_person(
    ledger, issue, citizen_number, application, command, erase, at_once, require_erased, streams_of
):
    """Whose last permit has ended: one of the issues wins, under the old id and erased, or under a
    new one."""
    under = set()
    for _ in range(ROUNDS):
        person = citizen_number()
        number = issue(person)
        holder_id = ledger.permit(number).holder_id
        ledger.permits.cancel(number, CancellationReason.MOVED_AWAY, command())

        erased, *issued = at_once(
            [lambda h=holder_id: erase(h)]
            + [lambda p=person: ledger.permits.issue(application(p), command(), PICTURE)] * 7
        )

        assert isinstance(erased, Answer)
        granted = [each for each in issued if isinstance(each, Answer)]
        assert all(isinstance(each, Answer | Refused) for each in issued), issued
        assert {*require_erased(holder_id)} == streams_of(holder_id)
        for each in granted:
            require_whole(ledger, each, holder_id)
        holders = {holder_of(ledger, each) for each in granted}
        assert len(granted) == len(holders) in {1, 2}
        under |= {holder == holder_id for holder in holders}
    assert under


def test_a_restriction_and_new_permits_of_the_same_person(
    ledger, issue, citizen_number, application, command, at_once
):
    """Whose last permit has ended: what was issued first is restricted with the rest, afterwards
    nothing is issued."""
    granted = set()
    for _ in range(ROUNDS):
        person = citizen_number()
        holder_id = ledger.permit(number := issue(person)).holder_id
        ledger.permits.cancel(number, CancellationReason.MOVED_AWAY, command())

        restricted, *issued = at_once(
            [lambda h=holder_id: ledger.holders.restrict(h, ORDER, command())]
            + [lambda p=person: ledger.permits.issue(application(p), command())] * 5
        )

        assert isinstance(restricted, Answer)
        assert all(isinstance(each, Answer | Refused) for each in issued), issued
        numbers = ledger.log.holder(holder_id).permit_numbers
        assert {True} == {ledger.permit(number).restricted for number in numbers}
        granted.add(len(numbers))
        with pytest.raises((AlreadyHoldsPermit, HolderIsRestricted)):
            ledger.permits.issue(application(person), command())
    assert granted <= {1, 2}


def holder_of(ledger, answer):
    [stored] = ledger.events(answer.position, 1)
    return ledger.permit(stored.originator_id).holder_id


def test_a_permit_read_during_an_erasure_is_whole_or_erased(ledger, issue, erase, command, at_once):
    """With its person, or without; never an error."""
    for _ in range(ROUNDS):
        number = issue()
        holder_id = ledger.permit(number).holder_id

        erased, *read = at_once(
            [lambda h=holder_id: erase(h)] + [lambda n=number: ledger.permit(n)] * 6
        )

        assert isinstance(erased, Answer)
        for permit in read:
            assert not isinstance(permit, Exception), permit
            assert permit.erased is (permit.identity is ERASED)
        with pytest.raises(PermitEnded):
            ledger.permits.replace(
                number, ReplacementReason.DAMAGED, command(), old_card_returned=True
            )


@pytest.fixture
def reader(database_url, blind_index):
    """``reader(number, between)``: reads a permit; ``between`` is called after its events are read
    and before its holder's key is."""
    with closing(BlockingLedger(database_url, blind_index=blind_index, keyring=keyring())) as other:

        def reader(number, between):
            holder_keys = other.event_log.holder_keys

            async def late(holder_ids):
                await asyncio.to_thread(between)
                return await holder_keys(holder_ids)

            other.event_log.holder_keys = late
            return other.permit(number)

        yield reader


def test_a_permit_is_not_read_half_erased(ledger, issue, erase, reader):
    """Its events from before the erasure and the key from after it would make a permit in force
    without a person. It is read again."""
    number = issue()
    holder_id = ledger.permit(number).holder_id

    permit = reader(number, lambda: erase(holder_id))

    assert (True, ERASED) == (permit.erased, permit.identity)
    assert vars(ledger.permit(number)) == vars(permit)
