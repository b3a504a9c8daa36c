"""The commands of data-protection law, for all permits and applications of a holder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from domain import data_protection
from domain.aggregate import Aggregate
from domain.data_protection import Order, waiting_request
from domain.person import ErasureRequest
from domain.personal import ERASED
from ledger.errors import Corrupt, UnknownAggregate, UnknownHolder
from ledger.eventlog.idempotency import Answer
from ledger.eventlog.registry import ApplyProtection, Measure

from .runner import Command, CommandRunner

Act = Callable[[Sequence[Aggregate]], Measure | None]
"""Decides, and says which measure the register has to take with it."""


REQUESTED_STREAMS_MAX = 200


class WaitingErasure(NamedTuple):
    """A request to erase a holder, and all of the holder's permits or applications."""

    holder_id: str
    permit_numbers: tuple[str, ...]
    request: ErasureRequest


class WaitingErasures(NamedTuple):
    """``unreadable`` are permits or applications for which a request was made, and of which it
    can't be said whether it waits: their events can't be read."""

    requests: Sequence[WaitingErasure]
    unreadable: Sequence[str]


class HolderCommands(CommandRunner):
    """Coroutines of one event loop; each command is one append, for all of the holder's streams."""

    async def restrict(self, holder_id: str, order: Order, command: Command) -> Answer:
        """限制处理: keep the data, and stop using it.

        Raises:
            UnknownHolder
            InvalidDetails: by the domain.
        """

        def act(aggregates: Sequence[Aggregate]) -> Measure:
            data_protection.restrict(aggregates, order, command.context)
            return Measure.RESTRICT

        return await self._protect(holder_id, command, act)

    async def lift_restriction(self, holder_id: str, order: Order, command: Command) -> Answer:
        """解除限制.

        Raises:
            UnknownHolder
            InvalidDetails, NotRestricted: by the domain.
        """

        def act(aggregates: Sequence[Aggregate]) -> Measure:
            data_protection.lift_restriction(aggregates, order, command.context)
            return Measure.LIFT

        return await self._protect(holder_id, command, act)

    async def erase(
        self, holder_id: str, order: Order, backups_hold_key_until: date, command: Command
    ) -> Answer:
        """删除个人信息: the first officer asks, the second one executes: the key, the portraits and
        the index are destroyed in the event's transaction.

        After that an erasure appends nothing and gets the first one's response; a key or a portrait
        that a backup has restored since is destroyed again.

        Raises:
            UnknownHolder
            InvalidDetails, TwoOfficersRequired: by the domain.
        """
        commitment = await self._commitment(holder_id)

        def act(aggregates: Sequence[Aggregate]) -> Measure | None:
            is_erased = data_protection.erase(
                aggregates,
                order,
                key=commitment,
                backups_hold_key_until=backups_hold_key_until,
                context=command.context,
            )
            return Measure.ERASE if is_erased else None

        return await self._protect(holder_id, command, act)

    async def withdraw_erasure(self, holder_id: str, command: Command) -> Answer:
        """撤回删除申请.

        Raises:
            UnknownHolder
            NoErasureRequested: by the domain.
        """

        def act(aggregates: Sequence[Aggregate]) -> None:
            data_protection.withdraw_erasure(aggregates, command.context)

        return await self._protect(holder_id, command, act)

    async def waiting_erasures(self, at: datetime) -> WaitingErasures:
        """The requests to erase that wait for a second officer, the newest first.

        Of requests that were made long ago many others have come since, so the last
        :data:`REQUESTED_STREAMS_MAX` permits or applications with one are looked at.

        Raises:
            Unavailable
        """
        found: list[WaitingErasure] = []
        listed: set[str] = set()
        unreadable: list[str] = []
        for stream in await self.log.erasure_requests(REQUESTED_STREAMS_MAX):
            if stream in listed:
                continue
            try:
                aggregate = await self._aggregate(stream)
            except (Corrupt, UnknownAggregate):
                unreadable.append(stream)
                continue
            if request := waiting_request([aggregate], at):
                record = await self.log.holder(aggregate.holder_id)
                numbers = record.permit_numbers if record else (stream,)
                found.append(WaitingErasure(aggregate.holder_id, numbers, request))
                listed |= {stream, *numbers}
        return WaitingErasures(found, unreadable)

    async def _commitment(self, holder_id: str) -> str:
        """To the holder's key, which never changes; empty if it is destroyed already."""
        keys = await self.log.holder_keys([holder_id])
        if holder_id not in keys:
            raise UnknownHolder
        key = keys[holder_id]
        return "" if key is ERASED else key.commitment

    async def _aggregate(self, stream: str) -> Aggregate:
        if (aggregate := await self.log.load(stream)) is None:
            raise UnknownAggregate
        return aggregate

    async def _protect(self, holder_id: str, command: Command, act: Act) -> Answer:
        async def attempt() -> Answer:
            record = await self.log.holder(holder_id)
            if record is None or not record.permit_numbers:
                raise UnknownHolder
            aggregates = [await self._aggregate(number) for number in record.permit_numbers]
            command.require_expected(aggregates[-1].version)
            measure = act(aggregates)
            is_new = any(aggregate.pending_events for aggregate in aggregates)
            # An erased holder stays erased: a key that a backup has restored is destroyed again.
            changes = [
                ApplyProtection(holder_id, record.citizen_index, len(aggregates), each)
                for each in [measure]
                if each is not None and (is_new or each is Measure.ERASE)
            ]
            body = self._renderer.holder(aggregates, command.context.at) if self._renderer else b""
            return await self._write(aggregates, body, command, changes)

        return await self._decide(command, attempt)
