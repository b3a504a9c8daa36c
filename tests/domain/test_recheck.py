"""Past checks, decided again: which would be answered otherwise today, and which were relied on."""

from datetime import date, datetime, time

import pytest

from domain.calendar import SHANGHAI
from domain.personal import ERASED
from domain.recheck import PastCheck, recheck
from domain.validity import History
from domain.verification import CardCode, Reason, Track, Verdict
from tests.domain.scenario import (
    claimed,
    given,
    identity_corrected,
    issued,
    loss_reported,
    voided,
)

ISSUED, CHECKED = date(2025, 3, 31), date(2025, 8, 10)
AFTER = date(2025, 8, 20)
EFFECTIVE = Verdict(None)
SHOWN = ("name", "portrait", "valid_until")


def after(*happened):
    """The history of a permit that was claimed before the check, and of these events."""
    return History(given(issued(ISSUED), claimed(ISSUED), *happened).events)


def check(**changes):
    """Of the card, answered on CHECKED by the first two events; or with these changes."""
    usual = {
        "track": Track.PHYSICAL,
        "checked_at": datetime.combine(CHECKED, time(12), SHANGHAI),
        "verdict": EFFECTIVE,
        "card_serial": 1,
        "device": None,
        "code": None,
        "fields": SHOWN,
        "known": 2,
    }
    return PastCheck(**{**usual, **changes})


PHONE = {"track": Track.ELECTRONIC, "card_serial": None, "device": "thumbprint-1"}


CORRECTED = identity_corrected(AFTER, name="欧阳改名")
VOIDED = voided(AFTER, "就业证明系伪造")


def test_a_check_stands_while_nothing_new_is_known():
    """As it was answered."""
    again = recheck(after(), check())

    assert (EFFECTIVE, (), (), False, False) == (
        again.verdict,
        again.fields,
        again.because,
        again.differs,
        again.relied_on,
    )


def test_a_loss_that_was_reported_late_makes_a_difference_to_the_card_alone():
    """The phone kept its effect."""
    history = after(loss_reported(AFTER, lost_on=date(2025, 8, 1)))

    card, phone = (recheck(history, check(**track)) for track in ({}, PHONE))

    assert (Verdict(Reason.REPORTED_LOST), True, (3,)) == (card.verdict, card.differs, card.because)
    assert (EFFECTIVE, False, ()) == (phone.verdict, phone.differs, phone.because)


def test_a_loss_after_the_check_makes_no_difference():
    """It was true later."""
    history = after(loss_reported(AFTER, lost_on=date(2025, 8, 11)))

    assert not recheck(history, check()).differs


def test_a_corrected_name_was_shown_wrong():
    """The verdict is the same; the field is named."""
    again = recheck(after(CORRECTED), check())

    assert (EFFECTIVE, ("name",), (3,), True) == (
        again.verdict,
        again.fields,
        again.because,
        again.differs,
    )


def test_a_correction_of_a_field_that_was_not_shown_makes_no_difference():
    """The verifier did not see the name."""
    assert not recheck(after(CORRECTED), check(fields=("valid_until",))).differs


def test_p24_a_voided_permits_checks_stand_and_were_relied_on():
    """[N18] Effective then, effective still; a check that was refused was not relied on."""
    history = after(VOIDED)

    again = recheck(history, check())
    assert (EFFECTIVE, False, True) == (again.verdict, again.differs, again.relied_on)
    refused = recheck(history, check(verdict=Verdict(Reason.SUPERSEDED_CARD)))
    assert not refused.relied_on


def test_a_check_after_the_voiding_relied_on_nothing():
    """It was answered with the voiding."""
    history = after(VOIDED)

    assert not recheck(history, check(known=3)).relied_on


@pytest.mark.parametrize("reason", [Reason.NOT_LIVE, Reason.SCENARIO_NOT_ALLOWED])
def test_a_check_that_did_not_depend_on_the_permit_stands(reason):
    """A code that is not live does not depend on the permit's state."""
    again = recheck(after(CORRECTED), check(**PHONE, verdict=Verdict(reason), fields=()))

    assert (Verdict(reason), False) == (again.verdict, again.differs)


def test_an_undetermined_check_is_decided_today():
    """The record could not be read then."""
    again = recheck(after(), check(verdict=Verdict(Reason.UNDETERMINED), fields=()))

    assert (EFFECTIVE, True, ()) == (again.verdict, again.differs, again.because)


def test_an_erased_holders_checks_are_not_decided_again():
    """Neither the card nor the fields shown are readable any more."""
    again = recheck(after(), check(card_serial=ERASED, device=ERASED, fields=ERASED))

    assert (None, None) == (again.verdict, again.differs)


@pytest.mark.parametrize("code", [CardCode.WRONG, CardCode.MISSING])
def test_a_check_without_the_cards_code_stays_unknown(code):
    """It was not made with the card, whatever the permit is."""
    unknown = Verdict(Reason.UNKNOWN_PERMIT)

    again = recheck(after(), check(code=code, verdict=unknown, fields=()))

    assert (unknown, False) == (again.verdict, again.differs)
