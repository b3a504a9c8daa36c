"""P20 over random lives: whatever has happened, both tracks of a permit give the same answer."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from api.checks.checking import verdict_of
from api.checks.schemas import ElectronicCheckBody, PhysicalCheckBody
from domain.standing import Standing
from domain.verification import Reason
from ledger.checks.display_codes import CodeDigests, new_code
from ledger.database.connections import as_service
from projections.queries.check_batcher import CheckBatcher, CheckQuery

DIGESTS = CodeDigests(bytes(32))
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ACTS = 150
OF_THE_CARD = {Reason.SUPERSEDED_CARD, Reason.REPORTED_LOST, Reason.IDENTITY_STALE}


@pytest.mark.parametrize("seed", range(4))
def test_p20_over_random_lives(life, admin, projector, caught_up, database_url, policy, seed):
    """The card and the phone of each permit are checked together, on several days."""
    lived = life(seed)
    lived.go_on(ACTS)
    caught_up()
    permits = admin.execute(
        "SELECT permit_number, holder_id, card_serial, claimed, devices FROM views.permits"
    ).fetchall()
    codes = [new_code() for _ in permits]
    for code, (number, holder_id, _, _, devices) in zip(codes, permits, strict=True):
        admin.execute(
            "INSERT INTO ledger.display_codes VALUES (%s, %s, %s, %s, NULL, %s, %s)",
            [
                DIGESTS.of_code(code),
                *(number, holder_id, devices[0] if devices else "none"),
                *(NOW, NOW + timedelta(seconds=30)),
            ],
        )

    async def look_up():
        with closing(CheckBatcher(as_service(database_url))) as line:
            cards = [line.look_up(CheckQuery(NOW, number)) for number, *_ in permits]
            shown = [line.look_up(CheckQuery(NOW, code_digest=DIGESTS.of_code(c))) for c in codes]
            found = await asyncio.gather(*cards, *shown)
            return list(zip(found[: len(permits)], found[len(permits) :], strict=True))

    answered = set()
    for (card, phone), (number, _, serial, claimed, devices) in zip(
        asyncio.run(look_up()), permits, strict=True
    ):
        by_card = PhysicalCheckBody(
            scenario="x", track="physical", permit_number=number, card_serial=serial
        )
        by_phone = ElectronicCheckBody(scenario="x", track="electronic", code="x")
        for days in (0, 200, 2000):
            day = lived.today + timedelta(days=days)
            service = SimpleNamespace(
                standing=lambda facts, day=day: Standing(facts, day),
                policy=policy,
                card_codes=None,  # no check brings one
            )
            one, other = verdict_of(by_card, card, service), verdict_of(by_phone, phone, service)
            if one.reason not in OF_THE_CARD and claimed and devices:
                assert one == other
            answered |= {one.reason, other.reason}
    assert {Reason.USE_SUSPENDED} <= answered
