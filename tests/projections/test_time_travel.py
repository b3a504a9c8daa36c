"""As-of answers, compared with a replay of the log written by hand, for a small city on a moving
clock."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from eventsourcing.application import project_aggregate

from domain import events
from domain.calendar import SHANGHAI, shanghai_date
from domain.errors import DomainError
from domain.person import Residence
from domain.standing import Facts, Standing
from domain.timeline import TrackStates, bands
from ledger.commands.runner import Command
from ledger.crypto.envelope import join, place_of
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service
from ledger.errors import UnknownPermit
from ledger.eventlog.history import StreamHistories
from projections.queries.permits import read_pool
from tests.keks import keyring
from tests.projections.life import Life
from tests.projections.naive_replay import instant, replay

PERMITS, COMMANDS, QUESTIONS = 60, 900, 1_000
KINDS_MIN = 12
BEGINNING = datetime(2024, 1, 5, 1, tzinfo=UTC)


class City(Life):
    """Random lives by the minute, with losses and moves that are reported late, in any order."""

    now = BEGINNING

    def command(self):
        self.now += timedelta(minutes=self.chance.randrange(1, 600))
        self.today = shanghai_date(self.now)
        return Command(replace(self.context, at=self.now))

    def earlier(self):
        return self.today - timedelta(days=self.chance.choice([0, 1, 5, 30, 90]))

    def grow(self):
        """Issue some permits at once, then run commands of every kind, refused ones included."""
        for _ in range(PERMITS):
            self.command()
            self.issue()
        for _ in range(COMMANDS):
            self.now += timedelta(days=self.chance.choice([0, 0, 0, 1, 2, 4]))
            with suppress(DomainError):
                self.live(self.chance.choice(self.numbers), self.command())

    def live(self, number, by):
        ledger, chance = self.ledger, self.chance
        home = Residence(chance.choice(["320211", "320281"]), f"测试路{chance.randrange(9)}号")
        chance.choice(
            [
                lambda: ledger.permits.endorse(number, chance.choice([*events.CardPresented]), by),
                lambda: ledger.permits.endorse(number, events.CardPresented.CARD, by),
                lambda: ledger.permits.report_loss(
                    number, by, chance.choice([None, self.earlier()])
                ),
                lambda: ledger.permits.report_loss(number, by, self.earlier()),
                lambda: ledger.permits.lift_loss(number, by),
                lambda: ledger.permits.reissue(number, by),
                lambda: ledger.permits.replace(
                    number, chance.choice([*events.ReplacementReason]), by, old_card_returned=True
                ),
                lambda: ledger.permits.deliver_card(number, by),
                lambda: self.claim(number, chance.randrange(3)),
                lambda: self.revoke(number, chance.randrange(3)),
                lambda: ledger.permits.change_address(number, home, self.earlier(), by),
                lambda: ledger.permits.change_address(number, home, self.earlier(), by),
                lambda: ledger.permits.correct_identity(
                    number, by, name=chance.choice([None, "欧阳改名", "欧阳又改"])
                ),
                lambda: ledger.permits.correct_identity(number, by, hukou_address=home.address),
                lambda: self._end(number),
            ]
        )()


@pytest.fixture
def city(ledger, context):
    """Made once for each test; the seed makes it the same city each time."""
    city = City(ledger, context, random.Random(20261126))  # noqa: S311  chance, not secrecy
    city.grow()
    return city


@pytest.fixture
def log(ledger):
    """``log()``: every event as its decrypted JSON, read without any of the project's readers."""

    def log():
        for event in ledger.events(1, 100_000):
            sealed = ledger.event_mapper.parse(event)
            if sealed.envelope:
                key = ledger.log.holder_keys([sealed.envelope.holder])[sealed.envelope.holder]
                join(sealed.state, sealed.envelope.open(key, place_of(event)))
            state = orjson.loads(orjson.dumps(sealed.state))
            yield event.originator_id, event.originator_version, event.topic, state

    return lambda: list(log())


@pytest.fixture
def histories(database_url, ledger):
    """``histories(numbers)``: the history of each permit, as the service reads it."""

    def histories(numbers):
        async def read():
            async with read_pool(as_service(database_url), connections_max=2) as pool:
                reader = StreamHistories(pool, ledger.event_mapper, HolderKeys(keyring()))
                return {number: await reader.of(number) for number in numbers}

        return asyncio.run(read())

    return histories


def answered(history, at, known_at):
    """The as-of answer, in the format of the replay."""
    try:
        permit, known = history.known_by(known_at)
    except UnknownPermit:
        return None
    found = permit.as_of(at, known)
    return found and described(found.permit, found.standing)


def described(permit, standing):
    return {
        "version": standing.facts.version,
        "status": standing.status.value,
        "anchor": standing.facts.term.anchor.isoformat(),
        "valid_until": standing.valid_until.isoformat(),
        "endorsements": standing.facts.endorsements,
        "physical": (
            standing.facts.card.serial,
            standing.physical_status.value,
            standing.physical_effective,
        ),
        "electronic": (
            standing.electronic_status.value,
            standing.electronic_effective,
            standing.facts.devices,
        ),
        "name": permit.identity.name,
        "citizen_id_number": permit.identity.citizen_id_number,
        "home": (permit.residence.division, permit.residence.address),
        "identity_stale": permit.card.identity_stale,
    }


def instants(chance, log, until):
    """A random instant of the city's years; or one at which something was recorded, the one before
    it, or the beginning of a legal day, where a difference of one decides."""
    edge = instant(chance.choice(log)[3]["timestamp"])
    return chance.choice(
        [
            BEGINNING + (until - BEGINNING) * chance.uniform(-0.02, 1.1),
            edge,
            edge - timedelta(microseconds=1),
            datetime.combine(shanghai_date(edge), datetime.min.time(), SHANGHAI),
        ]
    )


def test_a_thousand_as_of_answers_equal_the_replay(city, log, histories):
    """Any permit, any two instants: what was true at the one, as known at the other."""
    chance, recorded_log = random.Random(7), log()  # noqa: S311  chance, not secrecy
    read = histories(city.numbers)
    kinds = Counter(topic for _, _, topic, _ in recorded_log)
    assert len(kinds) >= KINDS_MIN, kinds

    seen = Counter()
    for _ in range(QUESTIONS):
        number = chance.choice(city.numbers)
        at, known_at = (instants(chance, recorded_log, city.now) for _ in range(2))
        expected = replay(recorded_log, number, at, known_at)

        assert expected == answered(read[number], at, known_at), (number, at, known_at)

        seen["nothing" if expected is None else expected["status"]] += 1
        seen["answered differently later"] += expected != replay(recorded_log, number, at, city.now)
    assert {"nothing", "in_force", "use_suspended", "ended", "voided"} <= set(seen), seen
    assert seen["answered differently later"] > QUESTIONS / 10, seen


def test_a_permit_as_known_at_the_time_equals_the_aggregate_then(ledger, city, histories):
    """Where both instants are the same, and no holder reported moves out of order: the aggregate,
    folded from the log up to then."""
    read = histories(city.numbers)
    compared = 0
    for number in city.numbers:
        happened = [recorded.event for recorded in read[number].events]
        for n in range(1, len(happened) + 1):
            at = happened[n - 1].timestamp
            folded = project_aggregate(None, iter(ledger.log.opened(ledger.log.stored(number))[:n]))
            expected = described(folded, Standing(Facts.of(folded), shanghai_date(at)))
            found = answered(read[number], at, at)
            expected.pop("home"), found.pop("home")
            assert expected == found, (number, n)
            compared += 1
    assert compared > PERMITS * 4


def test_a_timeline_equals_the_as_of_answer_at_every_instant(city, log, histories):
    """The band that contains the instant, for any knowledge."""
    chance, recorded_log = random.Random(9), log()  # noqa: S311  chance, not secrecy
    read = histories(city.numbers)
    compared = 0
    for _ in range(QUESTIONS):
        at, known_at = (instants(chance, recorded_log, city.now) for _ in range(2))
        try:
            permit, known = read[chance.choice(city.numbers)].known_by(known_at)
        except UnknownPermit:
            continue
        here = [
            band.states
            for band in bands(permit, known)
            if band.since <= at and (band.until is None or at < band.until)
        ]
        found = permit.as_of(at, known)
        assert ([TrackStates.of(found.standing)] if found else []) == here
        compared += bool(here)
    assert compared > QUESTIONS / 2
