"""Keyed commands that follow from a seed, so that a command can be sent again from its key."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain import citizen_id
from domain.application import Application
from domain.context import CommandContext
from domain.errors import Refused
from domain.events import CancellationReason
from domain.permit import Permit
from domain.person import Identity, Residence
from ledger.commands.permits import PermitCommands
from ledger.commands.runner import Command
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.portraits import Portrait
from ledger.eventlog.idempotency import Answer, IdempotencyKey
from permit_ledger.bootstrap.policy import load_policy

CALLER = "chaos"
BLIND_INDEX = BlindIndex(bytes(range(32)))

_policy = load_policy(synthetic_people=True)


class NumberAndVersion:
    """Renders only what the judge compares."""

    def aggregate(self, permit: Permit, context: CommandContext) -> bytes:  # noqa: ARG002
        return f"{permit.id} {permit.version}".encode()

    def refusal(self, refusal: Refused) -> bytes:  # noqa: ARG002
        return b"refused"


@dataclass(frozen=True)
class Request:
    """One command. ``key`` is its idempotency key, and the correlation id of its event, so that the
    log itself says how often it took effect; ``number`` is the permit, or none for an issue.

    A move, unless it ``ends`` the permit; an issue with a portrait of so many bytes.
    """

    key: str
    number: str | None = None
    ends: bool = False
    portrait_bytes: int = 0

    async def run(self, commands: PermitCommands) -> Answer:
        """Send it: at another instant each time, as clients do."""
        if self.number is None:
            return await commands.issue(self._application(), self._command(), self._portrait())
        if self.ends:
            return await commands.cancel(
                self.number, CancellationReason.MOVED_AWAY, self._command()
            )
        residence = Residence("320211", f"测试路{self.key}号")
        return await commands.change_address(
            self.number, residence, date(2026, 1, 6), self._command()
        )

    @property
    def marker(self) -> bytes:
        """A text of its event that no other statement contains."""
        return f'"correlation_id":"{self.key}"'.encode()

    def _command(self) -> Command:
        context = CommandContext(
            actor="officer-1",
            station="320211-01",
            correlation_id=self.key,
            at=datetime.now(UTC),
            policy=_policy,
        )
        fingerprint = hashlib.sha256(self.key.encode()).digest()
        return Command(context, IdempotencyKey(CALLER, self.key, fingerprint))

    def _portrait(self) -> Portrait | None:
        """Incompressible bytes."""
        if not self.portrait_bytes:
            return None
        image = random.Random(self.key).randbytes(self.portrait_bytes)  # noqa: S311
        return Portrait(image, hashlib.sha256(image).hexdigest())

    def _application(self) -> Application:
        """A person of this key only."""
        writer, _, number = self.key.partition("-")
        days, sequence = divmod(int(number), 499)
        birth_date = date(1970, 1, 1) + timedelta(days=days)
        area = f"99{int(writer[1:]):04d}"
        citizen_number = citizen_id.compose(area, birth_date, sequence * 2 + 1)
        return Application(
            identity=Identity(
                "欧阳测试", "1", "01", birth_date, citizen_number, "安徽省合肥市测试路1号"
            ),
            residence=Residence("320211", "蠡湖大道1号"),
            residence_registered_on=date(2020, 1, 15),
            ground="employment",
            issued_on=date(2026, 1, 5),
        )


@dataclass(frozen=True)
class Workload:
    """Issues, and moves of ``permits``, for which all writers compete."""

    seed: int
    permits: tuple[str, ...] = ()
    issues_share: float = 0.5

    def request(self, key: str) -> Request:
        """The command of ``key``, the same for every writer."""
        chance = random.Random(f"{self.seed} {key}")  # noqa: S311  chance, not secrecy
        if not self.permits or chance.random() < self.issues_share:
            return Request(key)
        return Request(key, chance.choice(self.permits))


@dataclass(frozen=True, order=True)
class Acknowledgement:
    """An acknowledged command, on which its client may rely."""

    key: str
    position: int
    version: int
    number: str
    replayed: bool

    @classmethod
    def of(cls, request: Request, answer: Answer) -> "Acknowledgement":
        number, _, version = answer.body.decode().partition(" ")
        if not answer.accepted or answer.position is None or int(version) != answer.version:
            raise AssertionError(f"{request.key} was answered with {answer}")
        return cls(request.key, answer.position, int(version), number, answer.replayed)


Condition = Callable[[], bool]
