"""One method for each thing that is done with an application for an identity card."""

from __future__ import annotations

from collections.abc import Callable

from domain.calendar import WorkdayCalendar
from domain.errors import HolderIsRestricted
from domain.id_cards import receipt_number
from domain.id_cards.application import IdCardApplication
from domain.id_cards.collection import Collection
from domain.id_cards.submission import Submission
from ledger.codec.mapper import EventMapper
from ledger.crypto import randomness
from ledger.crypto.blind_index import BlindIndex
from ledger.errors import HolderTaken, UnknownApplication, VersionTaken
from ledger.eventlog.idempotency import Answer
from ledger.eventlog.log_access import LogAccess
from ledger.eventlog.registry import ClaimHolder, Holder, HolderChange, ReleaseHolder

from .runner import Command, CommandRunner, NewHolderData, Renderer


class IdCardCommands(CommandRunner):
    """As coroutines; what they wait for is up to their access to the log.

    An applicant is on record as a holder is, under an index of this register's own, with a key that
    seals all of the person's applications. There may be several at a time [D].
    """

    def __init__(
        self,
        log: LogAccess,
        mapper: EventMapper,
        *,
        blind_index: BlindIndex,
        workdays: WorkdayCalendar,
        renderer: Renderer | None = None,
        new_receipt_number: Callable[[], str] = lambda: receipt_number.draw(randomness.source.bits),
        new_holder_id: Callable[[], str] = lambda: randomness.source.take(16).hex(),
    ) -> None:
        super().__init__(log, mapper, renderer=renderer)
        self.blind_index = blind_index
        self._workdays = workdays
        self._new_receipt_number = new_receipt_number
        self._new_holder_id = new_holder_id

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
            HolderIsRestricted: of somebody who has applied before.
        """
        index = self.blind_index.of_applicant(submission.applicant.citizen_id_number)
        known: Holder | None = None

        async def attempt() -> Answer:
            """Most people are new here: look them up only where the append says otherwise."""
            nonlocal known
            if known and known.restricted:
                raise HolderIsRestricted
            holder_id = known.holder_id if known else self._new_holder_id()
            application = IdCardApplication.accept(
                self._new_receipt_number(),
                holder_id,
                submission,
                self._workdays,
                command.context,
            )
            try:
                if known:
                    key, wrapped = await self._key_of(holder_id), None
                else:
                    key, wrapped = await self.log.new_holder_key(holder_id)
                changes: list[HolderChange] = [
                    ClaimHolder(index, holder_id, application.id, wrapped),
                    # An application is nobody's one and only: the next one finds the place free.
                    ReleaseHolder(index, application.id),
                ]
                return await self._append(application, command, changes, NewHolderData(key))
            except (HolderTaken, VersionTaken):
                known = (await self.log.holders([index])).get(index)
                raise

        return await self._decide(command, attempt)

    async def dispatch(self, number: str, command: Command) -> Answer:
        """To the police where the household is registered."""
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
        """The card is at the station."""
        return await self._act(number, command, lambda a: a.arrive(command.context))

    async def withdraw(self, number: str, command: Command) -> Answer:
        """撤回."""
        return await self._act(number, command, lambda a: a.withdraw(command.context))

    async def collect(self, number: str, collection: Collection, command: Command) -> Answer:
        """领证. [C10, C11]"""
        return await self._act(number, command, lambda a: a.collect(collection, command.context))

    async def settle_due_date(self, number: str, command: Command) -> Answer:
        """Make a provisional due date final, where the calendar knows enough by now."""
        return await self._act(
            number, command, lambda a: a.settle_due_date(self._workdays, command.context)
        )

    async def _act(
        self, number: str, command: Command, act: Callable[[IdCardApplication], None]
    ) -> Answer:
        return await self._change(lambda: self.application(number), command, act)
