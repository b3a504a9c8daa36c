"""The commands for applications for identity cards, one method each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain.calendar import WorkdayCalendar
from domain.id_cards import receipt_number
from domain.id_cards.application import IdCardApplication
from domain.id_cards.collection import Collection
from domain.id_cards.submission import Submission
from ledger.codec.mapper import EventMapper
from ledger.crypto import randomness
from ledger.crypto.blind_index import BlindIndex
from ledger.errors import UnknownApplication
from ledger.eventlog.idempotency import Answer
from ledger.eventlog.log import EventLog

from .runner import Command, CommandRunner, Renderer


class IdCardCommands(CommandRunner):
    """Coroutines of one event loop, that of their log.

    An applicant is on record as a holder is, under an index of this register's own, with a key that
    seals all of the person's applications. There may be several at a time [D].
    """

    def __init__(
        self,
        log: EventLog,
        mapper: EventMapper,
        *,
        blind_index: BlindIndex,
        workdays: WorkdayCalendar,
        renderer: Renderer | None = None,
        new_receipt_number: Callable[[], str] = lambda: receipt_number.draw(randomness.source.bits),
        new_holder_id: Callable[[], str] = lambda: randomness.source.take(16).hex(),
    ) -> None:
        super().__init__(log, mapper, renderer=renderer, new_holder_id=new_holder_id)
        self.blind_index = blind_index
        self._workdays = workdays
        self._new_receipt_number = new_receipt_number

    async def application(self, number: str) -> IdCardApplication:
        """The application, folded from its events.

        Raises:
            UnknownApplication
        """
        application = await self.log.load(number)
        if not isinstance(application, IdCardApplication):
            raise UnknownApplication
        return application

    async def accept(self, submission: Submission, command: Command) -> Answer:
        """受理. [C1-C9, C12, C14]

        Raises:
            Refused, Invalid: by the domain.
            HolderIsRestricted: the applicant has applied before, and is restricted.
        """

        def begin(holder_id: str) -> IdCardApplication:
            return IdCardApplication.accept(
                self._new_receipt_number(),
                holder_id,
                submission,
                self._workdays,
                command.context,
            )

        return await self._begin(command, begin, self._applicant_index, released=True)

    def _applicant_index(self, application: Any) -> bytes:
        return self.blind_index.of_applicant(application.identity.citizen_id_number)

    async def dispatch(self, number: str, command: Command) -> Answer:
        """Send it to the police where the household is registered."""
        return await self._act(number, command, lambda a: a.dispatch(command.context))

    async def approve(self, number: str, command: Command) -> Answer:
        """审核通过."""
        return await self._act(number, command, lambda a: a.approve(command.context))

    async def send_back(self, number: str, reason: str, command: Command) -> Answer:
        """退回."""
        return await self._act(number, command, lambda a: a.send_back(reason, command.context))

    async def produce(self, number: str, command: Command) -> Answer:
        """制证."""
        return await self._act(number, command, lambda a: a.produce(command.context))

    async def arrive(self, number: str, command: Command) -> Answer:
        """Record that the card is at the station."""
        return await self._act(number, command, lambda a: a.arrive(command.context))

    async def withdraw(self, number: str, command: Command) -> Answer:
        """撤回."""
        return await self._act(number, command, lambda a: a.withdraw(command.context))

    async def collect(self, number: str, collection: Collection, command: Command) -> Answer:
        """领证. [C10, C11]"""
        return await self._act(number, command, lambda a: a.collect(collection, command.context))

    async def settle_due_date(self, number: str, command: Command) -> Answer:
        """Make a provisional due date final, if the calendar has its days by now."""
        return await self._act(
            number, command, lambda a: a.settle_due_date(self._workdays, command.context)
        )

    async def _act(
        self, number: str, command: Command, act: Callable[[IdCardApplication], None]
    ) -> Answer:
        return await self._change(lambda: self.application(number), command, act)
