"""Live codes: effective once, for half a minute, on a bound phone. P20, P21"""

import os
import random
import re
from datetime import datetime, timedelta

import pytest

from domain.live_code import ALPHABET
from tests.api.phones import Phone

BAD_CODES = int(os.environ.get("PERMIT_LEDGER_TEST_BAD_CODES", "400"))
"""How many codes are tried that are no good; 10,000 in the long form."""
CODES_OPEN_MAX = 3
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
    """Every code that is not live gets the same response, without anything about a permit."""
    assert ("not_effective", "not_live", {}) == (
        found["outcome"],
        found["reason"],
        found["permit"],
    )


def test_a_code_has_the_documented_form(phone):
    """130 bits in Crockford's alphabet, valid for 30 s, to be refreshed well before."""
    answer = phone.ask()

    assert 201 == answer.status_code
    said = answer.json()
    assert re.fullmatch(f"[{ALPHABET}]{{26}}", said["code"])
    issued_at = datetime.fromisoformat(said["issued_at"])
    assert timedelta(seconds=30) == datetime.fromisoformat(said["expires_at"]) - issued_at
    assert 20 == said["refresh_after_s"]


def test_the_qr_code_holds_a_short_address(service, phone):
    """In upper case throughout, so that version 5 suffices: 37 modules and a margin."""
    said = phone.ask().json()

    assert f"{service.url}/v/{said['code']}".upper() == said["url"]
    side = int(re.search(r'viewBox="0 0 (\d+) \1"', said["qr_svg"])[1])
    assert 21 + 8 <= side <= 37 + 8


def test_p21_a_code_is_effective_once(phone, show):
    """The first check shows the scenario's fields; later ones nothing."""
    code = phone.code()

    assert {"name": "欧阳测试", "portrait": None, "valid_until": "2027-01-04"} == show(code)[
        "permit"
    ]
    for _ in range(3):
        assert_not_live(show(code))


def test_a_code_is_of_its_own_permit_alone(service, issue, phone_of, phone, show):
    """Its digest, stored again for another permit through the function that the service's role
    has, shows nothing of that permit."""
    other = phone_of(issue())
    code = phone.code()
    [[holder_id, digest]] = service.rows(
        "SELECT (SELECT holder_id FROM ledger.holders WHERE permit_number = %s), code_digest"
        " FROM ledger.display_codes WHERE permit_number = %s",
        other.number,
        phone.number,
    )
    for mac in (None, b"", bytes(32), "its own"):
        [[issued_at, own]] = service.rows(
            "DELETE FROM ledger.display_codes WHERE code_digest = %s RETURNING issued_at, mac",
            digest,
        )
        service.rows(
            "SELECT ledger.mint_code(%s, %s, %s, %s, NULL, %s, %s + interval '30 s', %s, %s)",
            digest,
            *(other.number, holder_id, other.thumbprint, issued_at, issued_at),
            own if mac == "its own" else mac,
            repr(mac).encode(),
        )
        assert_not_live(show(code))
        kept = "UPDATE ledger.display_codes SET mac = %s WHERE code_digest = %s RETURNING 1"
        service.rows(kept, own, digest)


def test_p21_a_code_expires(at, phone, show):
    """By the ledger's clock, after 30 s."""
    at("2026-06-01T10:00:00+08:00")
    late, in_time = phone.code(), phone.code()
    at("2026-06-01T10:00:25+08:00")
    assert "effective" == show(in_time)["outcome"]
    at("2026-06-01T10:00:31+08:00")
    assert_not_live(show(late))


def test_setting_the_clock_back_makes_no_code_live(at, phone, show):
    """A code of a later time is not live now."""
    at("2026-06-02T10:00:00+08:00")
    code = phone.code()
    at("2026-06-01T10:00:00+08:00")
    assert_not_live(show(code))


def test_of_64_concurrent_checks_one_is_effective(phone, show, together):
    code = phone.code()

    found = together(64, lambda _: show(code)["outcome"])

    assert ["effective"] == [outcome for outcome in found if outcome == "effective"]


def test_invalid_codes_are_not_live(phone, show):
    """Used, bit-flipped, truncated, guessed: none is accepted, and none invalidates a live one."""
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


def test_only_the_newest_codes_of_a_phone_are_live(phone, show):
    """Older ones end when it requests more."""
    codes = [phone.code() for _ in range(CODES_OPEN_MAX + 2)]

    outcomes = [show(code)["outcome"] for code in codes]

    assert ["not_effective"] * 2 + ["effective"] * CODES_OPEN_MAX == outcomes


def test_another_phone_has_codes_of_its_own(permit, phone, phone_of, show):
    """However many the first one requests."""
    second = phone_of(permit)
    code = second.code()
    for _ in range(CODES_OPEN_MAX + 1):
        phone.code()

    assert "effective" == show(code)["outcome"]


def test_a_revoked_phone_has_no_live_code(permit, phone, phone_of, show):
    """Neither the code that it has nor a new one; the other phone keeps working."""
    second = phone_of(permit)
    code = second.code()

    phone.revoke(second)

    assert_not_live(show(code))
    refused = second.ask()
    assert (401, "UNAUTHENTICATED") == (refused.status_code, refused.json()["code"])
    assert "effective" == show(phone.code())["outcome"]


def test_a_holder_gets_no_code_for_another_holders_permit(issue, phone, phone_of, permit):
    """404, as if the permit did not exist; not even with a phone that is bound to it."""
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
    """It gets a code, and the check returns the same answer as for the card."""
    for what, body in acts:
        act(phone.number, what, **body)

    assert reason == show(phone.code())["reason"] == check(phone.number)["reason"]


def test_p20_a_suspended_permit_answers_as_its_card_does(at, phone, show, check):
    """The same date, the same answer."""
    at("2027-01-05")
    assert "use_suspended" == show(phone.code())["reason"] == check(phone.number)["reason"]


def test_p12_the_phone_is_effective_while_the_card_is_lost(act, phone, show, check):
    """And after the reissue."""
    act(phone.number, *LOSS[:1])
    assert "reported_lost" == check(phone.number)["reason"]
    assert "effective" == show(phone.code())["outcome"]
    act(phone.number, *REISSUE[:1])
    assert "effective" == show(phone.code())["outcome"]
    assert "effective" == check(phone.number, 2)["outcome"]


def test_a_restricted_holder_gets_no_code(investigator, permit, phone, show):
    """An earlier code is undetermined, as is the card."""
    code = phone.code()
    order = {"legal_basis": "个人信息保护法第四十七条", "case": "2026-DP-17"}
    holder = f"/v1/audit/holders/{permit['holder_id']}"
    assert 200 == investigator.post(f"{holder}/restrictions", order).status_code

    found, refused = show(code), phone.ask()

    assert ("undetermined", {}) == (found["reason"], found["permit"])
    assert (409, "HOLDER_RESTRICTED") == (refused.status_code, refused.json()["code"])


def test_an_erased_holder_gets_no_code(erase, permit, phone, show):
    """An earlier code is not live."""
    code = phone.code()
    erase(permit)

    found, refused = show(code), phone.ask()

    assert ("ended", {}) == (found["reason"], found["permit"])
    assert (409, "PERMIT_ENDED") == (refused.status_code, refused.json()["code"])


def test_p22_a_check_in_a_forbidden_scenario_uses_the_code(caller, phone, show):
    """It was shown, so it must not be passed on to another verifier."""
    code = phone.code()
    stranger = caller("verifier", scenarios=["patrol_inspection"])

    refused = show(code, "law_enforcement", by=stranger)

    assert ("scenario_not_allowed", {}) == (refused["reason"], refused["permit"])
    assert_not_live(show(code))


def test_the_database_stores_no_code(service, phone):
    """Only a keyed digest of it."""
    code = phone.code()

    rows = service.rows("SELECT display_codes::text FROM ledger.display_codes")

    assert rows
    assert not any(code in row or code.encode().hex() in row for (row,) in rows)
