"""Live codes: good once, for a moment, on the phone that is bound. P20, P21"""

import os
import random
import re
from datetime import datetime, timedelta

import pytest

from ledger.checks.display_codes import ALPHABET, CODES_OPEN_MAX
from tests.api.phones import Phone

BAD_CODES = int(os.environ.get("PERMIT_LEDGER_TEST_BAD_CODES", "400"))
"""How many codes are tried that are no good; 10,000 in the long form."""
LOSS, REISSUE = ("loss-reports", {}), ("reissues", {})
CANCELLATION = ("cancellations", {"reason": "deceased"})
VOIDING = ("voidings", {"finding": "forged lease"})


@pytest.fixture
def permit(at, issue):
    at("2026-06-01")
    return issue(issued_on="2026-01-05")


@pytest.fixture
def phone(phone_of, permit):
    return phone_of(permit)


def assert_not_live(found):
    """The same answer for every code that is not live; nothing about any permit."""
    assert ("not_effective", "not_live", {}) == (
        found["outcome"],
        found["reason"],
        found["permit"],
    )


def test_a_code_is_as_the_contract_has_it(phone):
    """130 bits in Crockford's alphabet, dead in 30 s, to be refreshed well before."""
    answer = phone.ask()

    assert 201 == answer.status_code
    said = answer.json()
    assert re.fullmatch(f"[{ALPHABET}]{{26}}", said["code"])
    issued_at = datetime.fromisoformat(said["issued_at"])
    assert timedelta(seconds=30) == datetime.fromisoformat(said["expires_at"]) - issued_at
    assert 20 == said["refresh_after_s"]


def test_the_qr_code_holds_a_short_address(service, phone):
    """Upper case throughout, so that version 5 is more than enough: 37 modules and a margin."""
    said = phone.ask().json()

    assert f"{service.url}/v/{said['code']}".upper() == said["url"]
    side = int(re.search(r'viewBox="0 0 (\d+) \1"', said["qr_svg"])[1])
    assert 21 + 8 <= side <= 37 + 8


def test_p21_a_code_has_effect_once(phone, show):
    """The first check of it shows the scenario's fields; any further one nothing."""
    code = phone.code()

    assert {"name": "欧阳测试", "portrait": None, "valid_until": "2027-01-04"} == show(code)[
        "permit"
    ]
    for _ in range(3):
        assert_not_live(show(code))


def test_p21_a_code_dies_by_itself(at, phone, show):
    """By the ledger's clock, after 30 s."""
    at("2026-06-01T10:00:00+08:00")
    late, in_time = phone.code(), phone.code()
    at("2026-06-01T10:00:25+08:00")
    assert "effective" == show(in_time)["outcome"]
    at("2026-06-01T10:00:31+08:00")
    assert_not_live(show(late))


def test_a_clock_that_is_put_back_revives_nothing(at, phone, show):
    """A code of later is none of now."""
    at("2026-06-02T10:00:00+08:00")
    code = phone.code()
    at("2026-06-01T10:00:00+08:00")
    assert_not_live(show(code))


def test_sixty_four_checks_in_the_same_instant(phone, show, together):
    """Exactly one is effective."""
    code = phone.code()

    found = together(64, lambda _: show(code)["outcome"])

    assert ["effective"] == [outcome for outcome in found if outcome == "effective"]


def test_codes_that_are_no_good(phone, show):
    """Replayed, bit-flipped, shortened, guessed: none is accepted, and none spoils a good one."""
    chance = random.Random(20261125)  # noqa: S311  chance, not secrecy
    good = phone.code()
    replayed = phone.code()
    assert "effective" == show(replayed)["outcome"]
    for n in range(BAD_CODES):
        place, bit = chance.randrange(26), 1 << chance.randrange(7)
        flipped = good[:place] + chr(ord(good[place]) ^ bit) + good[place + 1 :]
        guessed = "".join(chance.choices(ALPHABET, k=26))
        bad = [replayed, flipped, guessed, good.lower(), good[:-1], f"{good}0"][n % 6]
        if bad.isprintable():
            assert_not_live(show(bad))
    assert "not_live" == show(replayed)["reason"]
    assert "effective" == show(phone.code())["outcome"]


def test_only_the_newest_codes_of_a_phone_are_open(phone, show):
    """Those before die when it asks for more."""
    codes = [phone.code() for _ in range(CODES_OPEN_MAX + 2)]

    outcomes = [show(code)["outcome"] for code in codes]

    assert ["not_effective"] * 2 + ["effective"] * CODES_OPEN_MAX == outcomes


def test_another_phone_has_codes_of_its_own(permit, phone, phone_of, show):
    """However many the first one asks for."""
    second = phone_of(permit)
    code = second.code()
    for _ in range(CODES_OPEN_MAX + 1):
        phone.code()

    assert "effective" == show(code)["outcome"]


def test_a_revoked_phone_shows_nothing(permit, phone, phone_of, show):
    """Neither with the code that it has nor with a new one; the other phone goes on."""
    second = phone_of(permit)
    code = second.code()

    phone.revoke(second)

    assert_not_live(show(code))
    refused = second.ask()
    assert (401, "UNAUTHENTICATED") == (refused.status_code, refused.json()["code"])
    assert "effective" == show(phone.code())["outcome"]


def test_nobody_gets_a_code_for_anothers_permit(issue, phone, phone_of, permit):
    """404, as if there were no such permit; not even with a phone that is bound to it."""
    other = issue()
    theirs = phone_of(other)

    for intruder in (
        Phone(phone.holder, other, phone.key),
        Phone(phone.holder, other, theirs.key),
    ):
        answer = intruder.ask()
        assert (404, "UNKNOWN_PERMIT") == (answer.status_code, answer.json()["code"])
    crossed = Phone(phone.holder, permit, theirs.key).ask()
    assert (401, "UNAUTHENTICATED") == (crossed.status_code, crossed.json()["code"])


@pytest.mark.parametrize(
    ("reason", "acts"),
    [("ended", [CANCELLATION]), ("voided", [VOIDING]), ("ended", [LOSS, CANCELLATION])],
)
def test_p20_an_ended_permit_answers_as_its_card_does(act, phone, show, check, reason, acts):
    """It gets a code, and the check says what that is good for."""
    for what, body in acts:
        act(phone.number, what, **body)

    assert reason == show(phone.code())["reason"] == check(phone.number)["reason"]


def test_p20_a_suspended_permit_answers_as_its_card_does(at, phone, show, check):
    """The same date, the same answer."""
    at("2027-01-05")
    assert "use_suspended" == show(phone.code())["reason"] == check(phone.number)["reason"]


def test_p12_the_phone_shows_a_permit_whose_card_is_lost(act, phone, show, check):
    """And the new card's permit after the reissue."""
    act(phone.number, *LOSS[:1])
    assert "reported_lost" == check(phone.number)["reason"]
    assert "effective" == show(phone.code())["outcome"]
    act(phone.number, *REISSUE[:1])
    assert "effective" == show(phone.code())["outcome"]
    assert "effective" == check(phone.number, 2)["outcome"]


def test_somebody_restricted_gets_no_code(investigator, permit, phone, show):
    """And the one that is out is undetermined, as is the card."""
    code = phone.code()
    order = {"legal_basis": "个人信息保护法第四十七条", "case": "2026-DP-17"}
    holder = f"/v1/audit/holders/{permit['holder_id']}"
    assert 200 == investigator.post(f"{holder}/restrictions", order).status_code

    found, refused = show(code), phone.ask()

    assert ("undetermined", {}) == (found["reason"], found["permit"])
    assert (409, "HOLDER_RESTRICTED") == (refused.status_code, refused.json()["code"])


def test_somebody_erased_gets_no_code(investigator, permit, phone, show):
    """And the one that was shown is not live."""
    code = phone.code()
    order = {"legal_basis": "个人信息保护法第四十七条", "case": "2026-DP-17"}
    order["approvals"] = ["officer-1", "officer-2"]
    path = f"/v1/audit/holders/{permit['holder_id']}/erasures"
    assert 200 == investigator.post(path, order).status_code

    found, refused = show(code), phone.ask()

    assert ("ended", {}) == (found["reason"], found["permit"])
    assert (409, "PERMIT_ENDED") == (refused.status_code, refused.json()["code"])


def test_p22_a_scenario_that_is_not_allowed_uses_the_code_up(caller, phone, show):
    """It was shown, so it can't be passed on to another verifier."""
    code = phone.code()
    stranger = caller("verifier", scenarios=["patrol_inspection"])

    refused = show(code, "law_enforcement", by=stranger)

    assert ("scenario_not_allowed", {}) == (refused["reason"], refused["permit"])
    assert_not_live(show(code))


def test_the_database_knows_no_code(service, phone):
    """A keyed digest of it, and nothing that could be shown."""
    code = phone.code()

    rows = service.rows("SELECT display_codes::text FROM ledger.display_codes")

    assert rows
    assert not any(code in row or code.encode().hex() in row for (row,) in rows)
