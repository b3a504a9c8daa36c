"""The givens of the views' tests: events as examples, random lives, a projector in a thread.

A life is random but seeded: a failing one can be lived again.
"""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from psycopg.rows import dict_row

from domain import citizen_id, events
from domain.application import Application
from domain.calendar import SHANGHAI
from domain.context import CommandContext
from domain.device import Device, FaceMatch
from domain.errors import DomainError
from domain.permit import Permit
from domain.person import Identity, Residence
from ledger.application import Command, PermitLedger
from ledger.blind_index import BlindIndex
from ledger.database import Connection, connect
from ledger.errors import LedgerError
from projections.runner import Projector
from projections.view import all_views

WAIT_S = 30
POLL_S = 0.01
BORN_ON = date(1990, 1, 1)
ISSUED_ON = date(2024, 1, 5)
FACE_MATCH = FaceMatch("identity-provider", 0.98, matched=True)

_people = itertools.count(1)


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Any]], None]:
    """``until(condition)``: returns as soon as it holds, fails where it never does."""

    def until(condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            Event().wait(POLL_S)

    return until


# -- lives -------------------------------------------------------------------------------------


def _citizen_number() -> str:
    area, sequence = divmod(next(_people), 500)
    return citizen_id.compose(f"99{area:04d}", BORN_ON, sequence * 2 + 1)


@dataclass
class Life:
    """What happens to a few people; every command that is refused is part of life."""

    ledger: PermitLedger
    context: CommandContext
    chance: random.Random
    today: date = ISSUED_ON
    numbers: list[str] = field(default_factory=list)

    def command(self) -> Command:
        at = datetime(self.today.year, self.today.month, self.today.day, 12, tzinfo=SHANGHAI)
        return Command(replace(self.context, at=at))

    def issue(self, citizen_number: str | None = None) -> str:
        """A permit, issued today; gives its number."""
        application = Application(
            identity=Identity(
                name="欧阳测试",
                sex="1",
                ethnicity="01",
                birth_date=BORN_ON,
                citizen_id_number=citizen_number or _citizen_number(),
                hukou_address="安徽省合肥市测试路1号",
            ),
            residence=Residence("320211", "蠡湖大道1号"),
            residence_registered_on=date(2020, 1, 15),
            ground="employment",
            issued_on=self.today,
        )
        answer = self.ledger.issue(application, self.command())
        assert answer.position is not None
        [issued] = self.ledger.log.select_notifications(answer.position, 1)
        self.numbers.append(str(issued.originator_id))
        return self.numbers[-1]

    def claim(self, number: str, phone: int = 1) -> None:
        holder_id = self.ledger.permit(number).holder_id
        device = Device(f"thumbprint-{phone}", {"kty": "EC", "x": str(phone)})
        self.ledger.claim(number, holder_id, device, FACE_MATCH, self.command(), confirmed=True)

    def revoke(self, number: str, phone: int = 1) -> None:
        holder_id = self.ledger.permit(number).holder_id
        self.ledger.revoke_device(number, holder_id, f"thumbprint-{phone}", self.command())

    def new_card(self, number: str) -> None:
        """Lost, reissued."""
        self.ledger.report_loss(number, self.command())
        self.ledger.reissue(number, self.command())

    def go_on(self, commands: int) -> None:
        """This many commands, granted or not, on days that go on."""
        for _ in range(commands):
            self.today += timedelta(days=self.chance.randrange(30))
            with suppress(DomainError, LedgerError):
                self._act()

    def _act(self) -> None:
        if not self.numbers or self.chance.random() < 0.1:
            self.issue()
            return
        number, chance, by = self.chance.choice(self.numbers), self.chance, self.command()
        ledger, phone = self.ledger, self.chance.randrange(3)
        home = Residence(chance.choice(["320211", "320281"]), f"测试路{chance.randrange(3)}号")
        chance.choice(
            [
                lambda: ledger.endorse(number, chance.choice([*events.CardPresented]), by),
                lambda: ledger.report_loss(number, by),
                lambda: ledger.lift_loss(number, by),
                lambda: self.new_card(number),
                lambda: ledger.replace(
                    number, chance.choice([*events.ReplacementReason]), by, old_card_returned=True
                ),
                lambda: ledger.deliver_card(number, by),
                lambda: self.claim(number, phone),
                lambda: self.revoke(number, phone),
                lambda: ledger.change_address(number, home, self.today, by),
                lambda: ledger.correct_identity(
                    number,
                    by,
                    name=chance.choice([None, "欧阳改名", "欧阳测试"]),
                    citizen_id_number=chance.choice([None, None, _citizen_number()]),
                    hukou_address=chance.choice([None, home.address]),
                ),
                lambda: self._end(number),
            ]
        )()

    def _end(self, number: str) -> None:
        """Now and then for one, and not for long for the person."""
        if self.chance.random() < 0.3:
            person = self.ledger.permit(number).identity.citizen_id_number
            if self.chance.random() < 0.5:
                self.ledger.cancel(number, events.CancellationReason.MOVED_AWAY, self.command())
            else:
                self.ledger.void(number, "就业证明系伪造", self.command())
            self.issue(person)


@pytest.fixture
def life(ledger: PermitLedger, context: CommandContext) -> Callable[[int], Life]:
    """``life(seed)``: not yet begun."""

    def life(seed: int = 0) -> Life:
        return Life(ledger, context, random.Random(seed))  # noqa: S311  chance, not secrecy

    return life


# -- projectors --------------------------------------------------------------------------------


@dataclass
class Running:
    """A projector in a thread of its own."""

    stop: Event
    thread: Thread

    def end(self) -> None:
        self.stop.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive(), "asked to stop, it goes on"


@pytest.fixture
def start_projector(
    database_url: str, blind_index: BlindIndex, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Running]]:
    """``start_projector(extra views …)``: one more; what still runs ends with the test."""
    monkeypatch.setattr("ledger.follow.BACKOFF_MAX_S", 0.1)
    started: list[Running] = []

    def start_projector(*extra_views: Any) -> Running:
        stop = Event()
        projector = Projector(database_url, [*all_views(blind_index), *extra_views], stop)
        thread = Thread(target=projector.run, name=f"projector-{len(started)}")
        started.append(Running(stop, thread))
        thread.start()
        return started[-1]

    yield start_projector
    for running in started:
        running.end()


@pytest.fixture
def projector(start_projector: Callable[..., Running]) -> Running:
    """One projector, running for the whole test."""
    return start_projector()


@pytest.fixture
def admin(database_url: str) -> Iterator[Connection]:
    """A connection of the operator's own."""
    with connect(database_url, application_name="operator") as connection:
        yield connection


@pytest.fixture
def lag(admin: Connection) -> Callable[[], int]:
    """``lag()``: how many events the views are behind the log."""

    def lag() -> int:
        row = admin.execute(
            "SELECT head.position - position.position FROM ledger.head, views.position"
        ).fetchone()
        assert row is not None
        return int(str(row[0]))

    return lag


@pytest.fixture
def caught_up(
    lag: Callable[[], int], until: Callable[[Callable[[], Any]], None]
) -> Callable[[], None]:
    """``caught_up()``: waits until the views are where the log is."""
    return lambda: until(lambda: lag() == 0)


@pytest.fixture
def kill(admin: Connection) -> Callable[[str], int]:
    """``kill(application_name)``: ends these backends; gives how many there were."""

    def kill(application_name: str) -> int:
        return admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [application_name],
        ).rowcount

    return kill


# -- rows --------------------------------------------------------------------------------------


@pytest.fixture
def rows(admin: Connection) -> Callable[[str], dict[str, dict[str, Any]]]:
    """``rows("views.permits")``: every row of it, by permit number."""

    def rows(table: str) -> dict[str, dict[str, Any]]:
        with admin.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(f"SELECT * FROM {table}").fetchall()
        return {row["permit_number"]: row for row in found}

    return rows


@pytest.fixture(scope="session")
def shared_columns() -> Callable[[Permit], dict[str, Any]]:
    """``shared_columns(permit)``: what both tracks have to say of it."""

    def shared_columns(permit: Permit) -> dict[str, Any]:
        identity = permit.identity
        return {
            "permit_number": permit.id,
            "holder_id": permit.holder_id,
            "version": permit.version,
            "name": identity.name,
            "sex": identity.sex,
            "ethnicity": identity.ethnicity,
            "birth_date": identity.birth_date,
            "citizen_id_number": identity.citizen_id_number,
            "hukou_address": identity.hukou_address,
            "portrait": identity.portrait,
            "division": permit.residence.division,
            "address": permit.residence.address,
            "issuing_authority": permit.issuing_authority,
            "issued_on": permit.issued_on,
            "anchor": permit.term.anchor,
            "years": permit.term.years,
            "endorsements": permit.endorsements,
            "ended": permit.end and permit.end.value,
            "card_serial": permit.card.serial,
        }

    return shared_columns


@pytest.fixture(scope="session")
def physical_columns(
    shared_columns: Callable[[Permit], dict[str, Any]],
) -> Callable[[Permit], dict[str, Any]]:
    """``physical_columns(permit)``: its whole row of the physical track."""

    def physical_columns(permit: Permit) -> dict[str, Any]:
        return {
            **shared_columns(permit),
            "card_status": permit.card.status.value,
            "identity_stale": permit.card.identity_stale,
            "card_due_on": permit.card.due_on,
            "card_delivered_on": permit.card.delivered_on,
        }

    return physical_columns


@pytest.fixture(scope="session")
def electronic_columns(
    shared_columns: Callable[[Permit], dict[str, Any]],
) -> Callable[[Permit], dict[str, Any]]:
    """``electronic_columns(permit)``: its whole row of the electronic track."""

    def electronic_columns(permit: Permit) -> dict[str, Any]:
        return {
            **shared_columns(permit),
            "claimed": permit.claimed,
            "devices": list(permit.devices),
        }

    return electronic_columns


@pytest.fixture(scope="session")
def happened() -> Callable[..., events.PermitEvent]:
    """``happened(PermitCancelled, reason=…)``: the event as the permit's second version."""

    def happened(event: type[events.PermitEvent], **facts: Any) -> events.PermitEvent:
        stamp = {
            "originator_id": "7Q2M9K4T8XW5",
            "originator_version": 2,
            "timestamp": datetime(2026, 11, 23, 12, tzinfo=SHANGHAI),
            "actor": "officer-1",
            "station": "320211-01",
            "policy_version": "wuxi-2026.1",
            "correlation_id": "request-1",
        }
        return event(**{**stamp, **facts})

    return happened
