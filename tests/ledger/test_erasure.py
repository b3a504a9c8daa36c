"""Restricting and erasing a holder: one append for all permits that the holder ever had."""

from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain.data_protection import REQUEST_DAYS, Order
from domain.errors import (
    HolderIsRestricted,
    InvalidDetails,
    NoErasureRequested,
    NotRestricted,
    PermitEnded,
    TwoOfficersRequired,
)
from domain.events import (
    CancellationReason,
    CardPresented,
    End,
    ErasureRequested,
    HolderErased,
    HolderRestricted,
    HolderRestrictionLifted,
    ReplacementReason,
)
from domain.person import Residence
from domain.personal import ERASED
from ledger.commands.blocking import BlockingLedger
from ledger.crypto.portraits import Portrait
from ledger.errors import KeyReused, UnknownHolder
from tests.keks import keyring
from tests.ledger.raw_log import wrapped_keys
from tests.two_officers import OFFICERS
from tests.two_officers import erase as erase_by_two

ORDER = Order("PIPL 47", "case 2026-7")
UNTIL = date(2026, 12, 28)
MOVED_AWAY = CancellationReason.MOVED_AWAY
NEW_HOME = Residence("320281", "澄江中路2号")
PICTURE = Portrait.of(b"\xff\xd8\xff a face \xff\xd9")


@pytest.fixture
def person(citizen_number):
    return citizen_number()


@pytest.fixture
def two_permits(ledger, issue, person, application, command, phone, face_match):
    """An ended permit, and one in force with a phone and a picture; of the same holder."""
    ended = issue(person)
    ledger.permits.cancel(ended, MOVED_AWAY, command())
    answer = ledger.permits.issue(application(person), command(), PICTURE)
    [issued] = ledger.events(answer.position, 1)
    number = issued.originator_id
    holder_id = ledger.permit(number).holder_id
    ledger.permits.claim(number, holder_id, phone(1), face_match, command(), confirmed=True)
    ledger.permits.correct_identity(number, command(), name="欧阳改名")
    return [ended, number]


@pytest.fixture
def holder_id(ledger, two_permits):
    return ledger.permit(two_permits[0]).holder_id


@pytest.fixture
def erase(ledger, command):
    """``erase(holder_id)``: by two officers."""

    def erase(holder_id, order=ORDER, by=ledger, **how):
        return erase_by_two(by, holder_id, order, UNTIL, command(**how))

    return erase


@pytest.fixture
def commands(ledger, phone, face_match, command):
    """``commands(number, holder_id)``: each command on a permit that there is."""

    def commands(number, holder_id):
        by = command()
        return {
            "endorse": lambda: ledger.permits.endorse(number, CardPresented.CARD, by),
            "report_loss": lambda: ledger.permits.report_loss(number, by),
            "lift_loss": lambda: ledger.permits.lift_loss(number, by),
            "reissue": lambda: ledger.permits.reissue(number, by),
            "replace": lambda: ledger.permits.replace(
                number, ReplacementReason.DAMAGED, by, old_card_returned=True
            ),
            "deliver": lambda: ledger.permits.deliver_card(number, by),
            "move": lambda: ledger.permits.change_address(number, NEW_HOME, date(2026, 11, 1), by),
            "correct": lambda: ledger.permits.correct_identity(number, by, name="欧阳又改"),
            "claim": lambda: ledger.permits.claim(
                number, holder_id, phone(2), face_match, by, confirmed=True
            ),
            "revoke": lambda: ledger.permits.revoke_device(number, holder_id, "thumbprint-1", by),
            "cancel": lambda: ledger.permits.cancel(number, MOVED_AWAY, by),
            "void": lambda: ledger.permits.void(number, "就业证明系伪造", by),
        }

    return commands


@pytest.fixture
def on_record(admin):
    """``on_record(holder_id)``: the key's row, the index, the permit held, how many pictures."""

    def on_record(holder_id):
        return admin.execute(
            "SELECT kek_id, wrapped, citizen_index, permit_number,"
            " (SELECT count(*) FROM ledger.portraits WHERE stream = ANY (permit_numbers))"
            " FROM ledger.holders WHERE holder_id = %s",
            [holder_id],
        ).fetchone()

    return on_record


GONE = (None, None, None, None, 0)


def topics(ledger, after):
    """What has come to the log since, each with its permit."""
    log = ledger.events(after + 1, 100)
    return [(event.originator_id, event.topic) for event in log]


# -- erased ------------------------------------------------------------------------------------


def test_an_erasure_is_one_append_for_all_permits(
    ledger, two_permits, holder_id, erase, on_record, transactions
):
    """Ended or not, it is the last event of each; key, index and pictures go with it."""
    before = ledger.head()
    assert None not in on_record(holder_id)
    assert 1 == on_record(holder_id)[-1]

    answer = erase(holder_id)

    assert [
        (number, event.TOPIC)
        for event in (ErasureRequested, HolderErased)
        for number in two_permits
    ] == topics(ledger, before)
    assert [before + 3, before + 4] in transactions()
    assert (True, before + 4) == (answer.accepted, answer.position)
    assert GONE == on_record(holder_id)
    assert {holder_id: ERASED} == keys_without_memory(ledger, holder_id)


def keys_without_memory(ledger, holder_id):
    """What the database has; it makes the memory forget."""
    rows = ledger.run(wrapped_keys(ledger.pool, [holder_id]))
    return ledger.holder_keys.unwrap(rows)


def test_the_event_names_the_legal_basis_and_the_officers(ledger, two_permits, holder_id, erase):
    """In the clear, since it outlives the key; with the key's commitment."""
    commitment = ledger.log.holder_keys([holder_id])[holder_id].commitment
    erase(holder_id)

    for number in two_permits:
        [stored] = ledger.log.stored(number)[-1:]
        event = ledger.event_mapper.to_domain_event(stored)
        assert (holder_id, ORDER.legal_basis, ORDER.case, OFFICERS, commitment, UNTIL) == (
            event.holder_id,
            event.legal_basis,
            event.case,
            event.approvals,
            event.key,
            event.backups_hold_key_until,
        )


def test_an_erased_permit_is_the_same_with_a_cached_key(ledger, two_permits, holder_id, erase):
    """With the key still in memory or without it, the same permit is folded."""
    key = ledger.log.holder_keys([holder_id])[holder_id]
    erase(holder_id)

    for number in two_permits:
        stored = ledger.log.stored(number)
        folded = []
        for keys in ({holder_id: key}, {holder_id: ERASED}):
            permit = None
            sealed = [ledger.event_mapper.parse(event) for event in stored]
            for event in ledger.event_mapper.open(sealed, keys):
                permit = event.mutate(permit)
            folded.append(permit)
        with_key, without = folded
        assert vars(with_key) == vars(without) == vars(ledger.permit(number))
        assert (ERASED, ERASED, {}, End.ENDED) == (
            without.identity,
            without.residence.address,
            without.devices,
            without.end,
        )
        assert ("320211", OFFICERS) == (without.residence.division, [*without.erasure.approvals])


def test_no_personal_data_is_readable_after_an_erasure(
    ledger, two_permits, holder_id, erase, person, database_url, blind_index
):
    """By a process that never had the key."""
    erase(holder_id)

    with closing(BlockingLedger(database_url, blind_index=blind_index, keyring=keyring())) as other:
        stored = [event for n in two_permits for event in other.log.stored(n)]
        text = f"{stored} {[vars(event) for event in other.log.opened(stored)]}"
        text += "".join(event.state.decode() for event in stored)
    for secret in ("欧阳", "蠡湖", person, PICTURE.digest, "thumbprint-1", '"1990'):
        assert secret not in text


def test_commands_find_an_ended_permit(ledger, two_permits, holder_id, erase, commands):
    """Every one, on each of the permits."""
    erase(holder_id)
    before = ledger.head()

    for number in two_permits:
        for act in commands(number, holder_id).values():
            with pytest.raises(PermitEnded):
                act()

    assert before == ledger.head()


def test_a_person_who_returns_after_an_erasure_is_a_new_holder(
    ledger, issue, holder_id, erase, person, on_record
):
    """With another holder id and another key; nothing links to the former one."""
    before = ledger.log.holder_keys([holder_id])[holder_id]
    erase(holder_id)

    new = ledger.permit(issue(person)).holder_id

    assert new != holder_id
    assert before.secret != ledger.log.holder_keys([new])[new].secret
    assert GONE == on_record(holder_id)
    assert [] == [value for value in on_record(new)[:4] if value is None]


def test_erasing_again_changes_nothing(ledger, holder_id, erase, on_record):
    """By other officers, in another case; the response is that of the first erasure."""
    first = erase(holder_id)

    again = erase(holder_id, Order("PIPL 47", "another case"))

    assert (True, first.position, first.version) == (again.accepted, again.position, again.version)
    assert first.position == ledger.head()
    assert GONE == on_record(holder_id)


def test_erasing_again_destroys_a_restored_key(
    ledger, two_permits, holder_id, erase, on_record, admin
):
    """And the picture, both restored from a backup; the log already has the erasure."""
    [key] = ledger.run(wrapped_keys(ledger.pool, [holder_id]))
    picture = admin.execute(
        "SELECT stream, version, image FROM ledger.portraits WHERE stream = %s", [two_permits[1]]
    ).fetchone()
    erase(holder_id)
    erased, head = on_record(holder_id), ledger.head()
    admin.execute(
        "UPDATE ledger.holder_keys SET kek_id = %s, wrapped = %s WHERE holder_id = %s",
        [key.kek_id, key.wrapped, holder_id],
    )
    admin.execute("INSERT INTO ledger.portraits VALUES (%s, %s, %s)", picture)
    assert erased != on_record(holder_id)

    erase(holder_id)

    assert (erased, head) == (on_record(holder_id), ledger.head())


def test_a_retry_gets_the_first_response(ledger, holder_id, erase):
    """The key cannot be used for another request."""
    first = erase(holder_id, key="erase-1")

    again = erase(holder_id, key="erase-1")

    assert (True, False) == (again.replayed, first.replayed)
    assert (first.position, first.body) == (again.position, again.body)
    with pytest.raises(KeyReused):
        erase(holder_id, key="erase-1", request=b"another request")
    assert first.position == ledger.head()


def test_one_officer_alone_erases_nothing(ledger, holder_id, command, on_record, two_permits):
    """The request is on record on every permit; repeated by the same officer it adds nothing."""
    before, head = on_record(holder_id), ledger.head()

    for _ in range(2):
        ledger.holders.erase(holder_id, ORDER, UNTIL, command())

    assert before == on_record(holder_id)
    assert [(number, ErasureRequested.TOPIC) for number in two_permits] == topics(ledger, head)


def test_a_request_can_be_withdrawn_and_expires(ledger, holder_id, command, on_record):
    """After either, a second officer's order is a first one again."""
    before = on_record(holder_id)
    ledger.holders.erase(holder_id, ORDER, UNTIL, command())
    ledger.holders.withdraw_erasure(holder_id, command(actor="officer-2"))
    with pytest.raises(NoErasureRequested):
        ledger.holders.withdraw_erasure(holder_id, command())

    late = command().context.today + timedelta(days=REQUEST_DAYS + 1)
    for asked in (command(actor="officer-2"), command(on=late)):
        ledger.holders.erase(holder_id, ORDER, UNTIL, asked)
        assert before == on_record(holder_id)

    ledger.holders.erase(holder_id, ORDER, UNTIL, command(actor="officer-2", on=late))
    assert GONE == on_record(holder_id)


def test_the_second_officer_approves_what_the_first_one_asked_for(
    ledger, holder_id, command, on_record
):
    """On another legal basis or in another case nothing is written."""
    ledger.holders.erase(holder_id, ORDER, UNTIL, command())
    before = (ledger.head(), on_record(holder_id))

    for other in (replace(ORDER, case="2026-DP-18"), replace(ORDER, legal_basis="PIPL 15")):
        with pytest.raises(TwoOfficersRequired):
            ledger.holders.erase(holder_id, other, UNTIL, command(actor="officer-2"))

    assert before == (ledger.head(), on_record(holder_id))


@pytest.mark.parametrize(
    "identifying", ["Mr 欧阳改名", "990000199001010017", "990000 19900101 0017"]
)
@pytest.mark.parametrize("field", ["legal_basis", "case"])
def test_a_text_must_not_identify_the_holder(ledger, holder_id, erase, command, field, identifying):
    """It would stay in the log for ever; the same for a restriction."""
    before = ledger.head()
    order = replace(ORDER, **{field: identifying})
    for act in (
        lambda: erase(holder_id, order),
        lambda: ledger.holders.restrict(holder_id, order, command()),
        lambda: ledger.holders.lift_restriction(holder_id, order, command()),
    ):
        with pytest.raises(InvalidDetails) as refused:
            act()
        assert [field] == [problem.field for problem in refused.value.problems]
    assert before == ledger.head()


def test_an_unknown_holder_can_not_be_erased(ledger, erase, command):
    """Nor restricted."""
    for act in (
        lambda: erase("nobody"),
        lambda: ledger.holders.restrict("nobody", ORDER, command()),
        lambda: ledger.holders.lift_restriction("nobody", ORDER, command()),
    ):
        with pytest.raises(UnknownHolder):
            act()
    assert 0 == ledger.head()


# -- restricted --------------------------------------------------------------------------------


def test_a_restriction_is_one_append_for_all_permits(
    ledger, two_permits, holder_id, commands, command, transactions
):
    """And lifted again; in between no command on one in force is granted."""
    before = ledger.head()

    answer = ledger.holders.restrict(holder_id, ORDER, command())

    assert [(n, HolderRestricted.TOPIC) for n in two_permits] == topics(ledger, before)
    assert [before + 1, before + 2] in transactions()
    assert (
        before + 2
        == answer.position
        == ledger.holders.restrict(holder_id, ORDER, command()).position
    )
    for act in commands(two_permits[1], holder_id).values():
        with pytest.raises(HolderIsRestricted):
            act()
    ledger.holders.lift_restriction(holder_id, ORDER, command())
    assert [(n, HolderRestrictionLifted.TOPIC) for n in two_permits] == topics(ledger, before + 2)
    assert ledger.permits.report_loss(two_permits[1], command()).position == before + 5


def test_a_lift_without_a_restriction_is_refused(ledger, holder_id, erase, command):
    """Also of an erased holder, whom nothing restricts any more."""
    with pytest.raises(NotRestricted):
        ledger.holders.lift_restriction(holder_id, ORDER, command())
    ledger.holders.restrict(holder_id, ORDER, command())
    erase(holder_id)
    before = ledger.head()

    with pytest.raises(NotRestricted):
        ledger.holders.lift_restriction(holder_id, ORDER, command())
    assert ledger.holders.restrict(holder_id, ORDER, command()).accepted
    assert before == ledger.head()


def test_a_holder_record_without_permits_is_unknown(ledger, holder_id, erase, admin):
    """If an owner emptied it by hand: there is no stream for the event, and no key is destroyed."""
    admin.execute("UPDATE ledger.holders SET permit_numbers = '{}'")

    with pytest.raises(UnknownHolder):
        erase(holder_id)

    assert (True,) == admin.execute("SELECT wrapped IS NOT NULL FROM ledger.holders").fetchone()
