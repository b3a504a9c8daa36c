"""A random life of a few people; seeded, so that a failing run can be repeated."""

import itertools
import random
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from domain import citizen_id, events
from domain.application import Application
from domain.calendar import SHANGHAI
from domain.context import CommandContext
from domain.data_protection import Order
from domain.device import Device, FaceMatch
from domain.errors import DomainError
from domain.person import Identity, Residence
from ledger.commands.blocking import BlockingLedger
from ledger.commands.runner import Command
from ledger.errors import LedgerError
from tests.two_officers import erase as erase_by_two

BORN_ON = date(1990, 1, 1)
ISSUED_ON = date(2024, 1, 5)
ORDER = Order("个人信息保护法第四十七条", "2026-DP-17")
FACE_MATCH = FaceMatch.unsigned("identity-provider", 0.98, matched=True)

_people = itertools.count(1)


def _citizen_number() -> str:
    area, sequence = divmod(next(_people), 500)
    return citizen_id.compose(f"99{area:04d}", BORN_ON, sequence * 2 + 1)


@dataclass
class Life:
    """Random commands for a few people; refused commands are part of it."""

    ledger: BlockingLedger
    context: CommandContext
    chance: random.Random
    today: date = ISSUED_ON
    numbers: list[str] = field(default_factory=list)

    def command(self) -> Command:
        at = datetime(self.today.year, self.today.month, self.today.day, 12, tzinfo=SHANGHAI)
        return Command(replace(self.context, at=at))

    def application(self, citizen_number: str | None = None) -> Application:
        """A valid application, of this person or a new one."""
        return Application(
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

    def issue(self, citizen_number: str | None = None) -> str:
        """A permit, issued today; gives its number."""
        answer = self.ledger.permits.issue(self.application(citizen_number), self.command())
        assert answer.position is not None
        [issued] = self.ledger.events(answer.position, 1)
        self.numbers.append(str(issued.originator_id))
        return self.numbers[-1]

    def claim(self, number: str, phone: int = 1) -> None:
        holder_id = self.ledger.permit(number).holder_id
        device = Device(f"thumbprint-{phone}", {"kty": "EC", "x": str(phone)})
        self.ledger.permits.claim(
            number, holder_id, device, FACE_MATCH, self.command(), confirmed=True
        )

    def revoke(self, number: str, phone: int = 1) -> None:
        holder_id = self.ledger.permit(number).holder_id
        self.ledger.permits.revoke_device(number, holder_id, f"thumbprint-{phone}", self.command())

    def new_card(self, number: str) -> None:
        """Lost, reissued."""
        self.ledger.permits.report_loss(number, self.command())
        self.ledger.permits.reissue(number, self.command())

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
                lambda: ledger.permits.endorse(number, chance.choice([*events.CardPresented]), by),
                lambda: ledger.permits.report_loss(number, by),
                lambda: ledger.permits.lift_loss(number, by),
                lambda: self.new_card(number),
                lambda: ledger.permits.replace(
                    number, chance.choice([*events.ReplacementReason]), by, old_card_returned=True
                ),
                lambda: ledger.permits.deliver_card(number, by),
                lambda: self.claim(number, phone),
                lambda: self.revoke(number, phone),
                lambda: ledger.permits.change_address(number, home, self.today, by),
                lambda: ledger.permits.correct_identity(
                    number,
                    by,
                    name=chance.choice([None, "欧阳改名", "欧阳测试"]),
                    citizen_id_number=chance.choice([None, None, _citizen_number()]),
                    hukou_address=chance.choice([None, home.address]),
                ),
                lambda: self._end(number),
                lambda: self._protect(number),
            ]
        )()

    def restrict(self, number: str) -> None:
        """The holder behind it, on every permit."""
        self.ledger.holders.restrict(self._holder(number), ORDER, self.command())

    def lift(self, number: str) -> None:
        self.ledger.holders.lift_restriction(self._holder(number), ORDER, self.command())

    def erase(self, number: str) -> None:
        until = self.today + timedelta(days=35)
        erase_by_two(self.ledger, self._holder(number), ORDER, until, self.command())

    def _holder(self, number: str) -> str:
        return self.ledger.permit(number).holder_id

    def _protect(self, number: str) -> None:
        """An act of data protection."""
        self.chance.choice([self.restrict, self.restrict, self.lift, self.erase])(number)

    def _end(self, number: str) -> None:
        """Now and then for one, and not for long for the person."""
        if self.chance.random() < 0.3:
            person = self.ledger.permit(number).person.citizen_id_number
            if self.chance.random() < 0.5:
                self.ledger.permits.cancel(
                    number, events.CancellationReason.MOVED_AWAY, self.command()
                )
            else:
                self.ledger.permits.void(number, "就业证明系伪造", self.command())
            self.issue(person)
