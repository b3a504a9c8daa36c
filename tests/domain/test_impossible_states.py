"""Whatever is asked, in whatever order and on whatever day, no permit gets into a wrong state."""

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain import data_protection
from domain.data_protection import Order
from domain.device import FaceMatch
from domain.endorsement import EndorsementKind
from domain.errors import DomainError
from domain.events import CancellationReason, CardPresented, ReplacementReason
from domain.person import Residence
from domain.personal import ERASED
from domain.standing import ElectronicStatus, PermitStatus, PhysicalStatus
from domain.verification import verify_card

ISSUED = date(2024, 2, 29)
EVENTS_BEFORE_THE_END_MIN = 8

PHONES = st.integers(1, 7)
FACE_MATCHES = st.sampled_from(
    [
        None,
        FaceMatch.unsigned("provider", 0.2, matched=False),
        *[FaceMatch.unsigned("provider", 0.9, matched=True)] * 3,
    ]
)
HOMES = st.builds(
    Residence,
    st.sampled_from(["320211", "320281", "320202", "310101"]),
    st.sampled_from(["蠡湖大道1号", "澄江中路2号", " ", "一\n二"]),
)
NAMES = st.sampled_from([None, "", "欧阳测试", "欧阳改名", "Ouyang"])
NUMBERS = st.sampled_from([None, "990000199001010017", "990000199001010033", "990000199001010025"])
HUKOU_ADDRESSES = st.sampled_from([None, "安徽省合肥市测试路1号", "安徽省芜湖市测试路2号"])


CASES = st.sampled_from(["case 2026-7", "case 2026-8", "", "of 欧阳测试"])


class Requests(RuleBasedStateMachine):
    """One permit and every command there is, on days that go on and sometimes back."""

    def __init__(self, permit, on, phone, standing):
        super().__init__()
        self.permit, self.on, self.phone, self.standing = permit, on, phone, standing
        self.log = list(permit.collect_events())
        self.today = ISSUED

    @rule(days=st.integers(1, 60))
    def time_passes(self, days):
        self.today += timedelta(days=days)

    @rule(days=st.integers(-31, 35))
    def the_year_ends(self, days):
        self.today = max(self.today, self.permit.term.anniversary + timedelta(days=days))

    @rule(days=st.integers(1, 500))
    def a_clock_is_wrong(self, days):
        self.today = max(self.today - timedelta(days=days), date(2016, 1, 1))

    @rule(presented=st.sampled_from(CardPresented))
    def endorse(self, presented):
        self.ask(self.permit.endorse, presented)

    @rule()
    def report_loss(self):
        self.ask(self.permit.report_loss)

    @rule()
    def lift_loss(self):
        self.ask(self.permit.lift_loss)

    @rule()
    def reissue(self):
        self.ask(self.permit.reissue)

    @rule(reason=st.sampled_from(ReplacementReason), returned=st.booleans())
    def replace(self, reason, returned):
        self.ask(self.permit.replace, reason, old_card_returned=returned)

    @rule()
    def deliver_card(self):
        self.ask(self.permit.deliver_card)

    @rule(number=PHONES, face_match=FACE_MATCHES, confirmed=st.booleans())
    def claim(self, number, face_match, confirmed):
        self.ask(self.permit.claim, self.phone(number), face_match, confirmed=confirmed)

    @rule(number=PHONES)
    def revoke_device(self, number):
        self.ask(self.permit.revoke_device, self.phone(number).thumbprint)

    @rule(home=HOMES, days_ago=st.integers(-1, 30))
    def change_address(self, home, days_ago):
        self.ask(self.permit.change_address, home, self.today - timedelta(days=days_ago))

    @rule(
        name=NAMES,
        number=NUMBERS,
        sex=st.sampled_from([None, "1", "2", "0", "3"]),
        birth_date=st.sampled_from([None, date(1990, 1, 1), date(1990, 2, 1)]),
        hukou_address=HUKOU_ADDRESSES,
    )
    def correct_identity(self, name, number, sex, birth_date, hukou_address):
        self.ask(
            self.permit.correct_identity,
            name=name,
            citizen_id_number=number,
            sex=sex,
            birth_date=birth_date,
            hukou_address=hukou_address,
        )

    @precondition(lambda self: self.permit.version >= EVENTS_BEFORE_THE_END_MIN)
    @rule(reason=st.sampled_from(CancellationReason))
    def cancel(self, reason):
        self.ask(self.permit.cancel, reason)

    @precondition(lambda self: self.permit.version >= EVENTS_BEFORE_THE_END_MIN)
    @rule(finding=st.sampled_from(["forged proof of employment", " "]))
    def void(self, finding):
        self.ask(self.permit.void, finding)

    @rule(case=CASES)
    def restrict(self, case):
        self.ask_for_holder(data_protection.restrict, Order("PIPL 47", case))

    @rule(case=CASES)
    def lift_restriction(self, case):
        self.ask_for_holder(data_protection.lift_restriction, Order("PIPL 47", case))

    @precondition(lambda self: self.permit.version >= EVENTS_BEFORE_THE_END_MIN)
    @rule(case=CASES, officer=st.sampled_from(["a", "b"]))
    def erase(self, case, officer):
        how = {"key": "commitment", "backups_hold_key_until": self.today}
        self.ask_for_holder(data_protection.erase, Order("PIPL 47", case), officer=officer, **how)

    @rule(officer=st.sampled_from(["a", "b"]))
    def withdraw_erasure(self, officer):
        self.ask_for_holder(data_protection.withdraw_erasure, officer=officer)

    def ask_for_holder(self, command, *args, officer="a", **kwargs):
        """Data protection also applies to ended permits; after an erasure nothing changes."""
        before = deepcopy(self.permit)
        try:
            context = replace(self.on(self.today), actor=officer)
            command([self.permit], *args, **kwargs, context=context)
        except DomainError:
            assert before == self.permit
            return
        events = self.permit.collect_events()
        assert len(events) <= (0 if before.erased else 1)
        if not events:
            assert before == self.permit
        for event in events:
            self.check_step(before, event)
        self.log += events

    def ask(self, command, *args, **kwargs):
        """One command: at most one event, and without one nothing has changed."""
        before = deepcopy(self.permit)
        try:
            command(*args, **kwargs, context=self.on(self.today))
        except DomainError:
            assert before == self.permit
            return
        assert before.end is None
        assert not before.restricted
        events = self.permit.collect_events()
        assert len(events) <= 1
        assert before.version + len(events) == self.permit.version
        if not events:
            assert before == self.permit
        for event in events:
            self.check_step(before, event)
        self.log += events

    def check_step(self, before, event):
        """No event is idle; the card's serial and the anchor move only by what may move them."""
        after = self.permit
        assert facts(before) != facts(after)
        new_card = event.TOPIC in {"permit.card-reissued.v1", "permit.card-replaced.v1"}
        endorsed = event.TOPIC == "permit.endorsed.v1"
        re_anchored = endorsed and event.kind is EndorsementKind.RE_ANCHORED
        assert before.card.serial + new_card == after.card.serial
        assert re_anchored is (before.term.anchor != after.term.anchor)
        assert endorsed is (before.term != after.term)
        if endorsed:
            assert before.term.last_valid_day < after.term.last_valid_day
            assert not after.term.is_overdue(self.today)

    @invariant()
    def the_two_tracks_agree(self):
        """What is in force, suspended or at an end is so for the card and for the phone."""
        now = self.standing(self.permit, self.today)
        in_force = now.status is PermitStatus.IN_FORCE
        ended = self.permit.end is not None
        counts = in_force and not self.permit.restricted
        assert now.electronic_effective is (counts and self.permit.claimed)
        assert now.physical_effective <= counts
        assert now.physical_effective is (verify_card(now, self.permit.card.serial).reason is None)
        assert ended is (now.physical_status is PhysicalStatus.ENDED)
        assert ended is (now.electronic_status is ElectronicStatus.ENDED)
        assert ended is (now.status in {PermitStatus.ENDED, PermitStatus.VOIDED})

    @invariant()
    def the_term_is_one_value_of_whole_years(self):
        """Both tracks are valid until its last day."""
        now = self.standing(self.permit, self.today)
        assert self.permit.term.last_valid_day == now.valid_until
        assert self.permit.term.anchor == now.valid_from
        assert self.permit.term.years >= 1

    @invariant()
    def no_superseded_card_is_effective(self):
        """Of all serials ever made at most the last has effect."""
        now = self.standing(self.permit, self.today)
        for serial in range(1, self.permit.card.serial):
            assert verify_card(now, serial).reason is not None

    @invariant()
    def an_erased_permit_has_ended_and_tells_nothing(self):
        """Neither who, nor where, nor on which phone."""
        permit = self.permit
        readable = permit.identity is not ERASED, permit.residence.address is not ERASED
        assert (not permit.erased,) * 2 == readable
        if permit.erased:
            assert permit.end is not None
            assert not permit.devices
            assert not permit.restricted

    def teardown(self):
        """The log alone gives the same permit again."""
        folded = None
        for event in self.log:
            folded = event.mutate(folded)
        assert self.permit == folded


def facts(permit):
    """All that is on record, without the count of events and the time of the last."""
    return {k: v for k, v in vars(permit).items() if k not in {"_version", "_modified_on"}}


def test_no_sequence_of_requests_makes_an_impossible_permit(issue, on, phone, standing):
    """Only domain errors, one event at most, and every invariant after every step."""
    run_state_machine_as_test(
        lambda: Requests(issue(ISSUED), on, phone, standing),
        settings=settings(max_examples=300, stateful_step_count=40),
    )
