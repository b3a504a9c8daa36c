"""Past checks, asked again: what would be answered otherwise today, and who relied on what."""

from datetime import date, datetime, time

import pytest

from domain.calendar import SHANGHAI
from domain.personal import ERASED
from domain.recheck import PastCheck, recheck
from domain.validity import History
from domain.verification import Reason, Track, Verdict

ISSUED, CHECKED = date(2025, 3, 31), date(2025, 8, 10)
AFTER = date(2025, 8, 20)
EFFECTIVE = Verdict(None)
SHOWN = ("name", "portrait", "valid_until")


@pytest.fixture
def after(given_permit, phone, face_match, on, issue):
    """``after(act)``: the history of a claimed permit to which this happened on AFTER."""

    def after(act=None):
        permit = issue(ISSUED)
        permit.claim(phone(1), face_match, confirmed=True, context=on(ISSUED))
        if act:
            act(permit, on(AFTER))
        return History(permit.collect_events())

    return after


def check(**changes):
    """Of the card, answered on CHECKED by the first two events; or with these changes."""
    usual = {
        "track": Track.PHYSICAL,
        "checked_at": datetime.combine(CHECKED, time(12), SHANGHAI),
        "verdict": EFFECTIVE,
        "card_serial": 1,
        "device": None,
        "fields": SHOWN,
        "known": 2,
    }
    return PastCheck(**{**usual, **changes})


PHONE = {"track": Track.ELECTRONIC, "card_serial": None, "device": "thumbprint-1"}


def correct(permit, context, name="欧阳改名"):
    permit.correct_identity(name=name, context=context)


def test_a_check_of_which_nothing_new_is_known_stands(after):
    """As it was answered."""
    again = recheck(after(), check())

    assert (EFFECTIVE, (), (), False, False) == (
        again.verdict,
        again.fields,
        again.because,
        again.differs,
        again.relied_on,
    )


def test_a_loss_that_was_reported_late_makes_a_difference_to_the_card_alone(after):
    """The phone kept its effect."""
    history = after(lambda permit, context: permit.report_loss(context, date(2025, 8, 1)))

    card, phone = (recheck(history, check(**track)) for track in ({}, PHONE))

    assert (Verdict(Reason.REPORTED_LOST), True, (3,)) == (card.verdict, card.differs, card.because)
    assert (EFFECTIVE, False, ()) == (phone.verdict, phone.differs, phone.because)


def test_a_loss_after_the_check_makes_none(after):
    """It was true later."""
    history = after(lambda permit, context: permit.report_loss(context, date(2025, 8, 11)))

    assert not recheck(history, check()).differs


def test_a_corrected_name_was_shown_wrong(after):
    """The verdict is the same; the field is named."""
    again = recheck(after(correct), check())

    assert (EFFECTIVE, ("name",), (3,), True) == (
        again.verdict,
        again.fields,
        again.because,
        again.differs,
    )


def test_a_correction_of_what_was_not_shown_makes_no_difference(after):
    """Who did not see the name was not told a wrong one."""
    assert not recheck(after(correct), check(fields=("valid_until",))).differs


def test_p24_a_voided_permits_checks_stand_and_were_relied_on(after):
    """[N18] Effective then, effective still; refused ones nobody relied on."""
    history = after(lambda permit, context: permit.void("就业证明系伪造", context))

    again = recheck(history, check())
    assert (EFFECTIVE, False, True) == (again.verdict, again.differs, again.relied_on)
    refused = recheck(history, check(verdict=Verdict(Reason.SUPERSEDED_CARD)))
    assert not refused.relied_on


def test_a_check_after_the_voiding_relied_on_nothing(after):
    """It knew."""
    history = after(lambda permit, context: permit.void("就业证明系伪造", context))

    assert not recheck(history, check(known=3)).relied_on


@pytest.mark.parametrize("reason", [Reason.NOT_LIVE, Reason.SCENARIO_NOT_ALLOWED])
def test_what_was_answered_without_a_look_at_the_permit_stands(after, reason):
    """A dead code says nothing of it, today neither."""
    again = recheck(after(correct), check(**PHONE, verdict=Verdict(reason), fields=()))

    assert (Verdict(reason), False) == (again.verdict, again.differs)


def test_an_undetermined_check_can_be_told_today(after):
    """The record could not be read then."""
    again = recheck(after(), check(verdict=Verdict(Reason.UNDETERMINED), fields=()))

    assert (EFFECTIVE, True, ()) == (again.verdict, again.differs, again.because)


def test_of_an_erased_holders_checks_nobody_can_tell(after):
    """Neither which card it was, nor what was shown; what is plain stays."""
    again = recheck(after(), check(card_serial=ERASED, device=ERASED, fields=ERASED))

    assert (None, None) == (again.verdict, again.differs)
