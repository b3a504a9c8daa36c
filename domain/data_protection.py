"""Restriction of a holder's data, its lifting, and erasure, as data-protection law requires them.

A holder may have had several permits, or applications; each of them gets the event.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from . import citizen_id, text
from .aggregate import Aggregate
from .context import CommandContext
from .errors import (
    FieldProblem,
    NoErasureRequested,
    NotRestricted,
    TwoOfficersRequired,
    require_valid,
)
from .person import ErasureRequest
from .personal import ERASED
from .stream_types import stream_type_of

TEXT_LENGTH_MAX = 200
REQUEST_DAYS = 7
_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Order:
    """The legal basis and the case. Both stay in the log in the clear, for ever: neither may
    identify the holder."""

    legal_basis: str
    case: str

    def normalised(self) -> Order:
        return Order(text.line(self.legal_basis), text.line(self.case))

    def problems(self, aggregates: Sequence[Aggregate]) -> Iterator[FieldProblem]:
        yield from _text_problems("legal_basis", self.legal_basis, aggregates)
        yield from _text_problems("case", self.case, aggregates)


def restrict(aggregates: Sequence[Aggregate], order: Order, context: CommandContext) -> None:
    """限制处理: checks answer as if the record could not be read, and it is shown to no one.

    Raises:
        InvalidDetails
        TooManyToday: this account has restricted and lifted too often today.
    """
    order = order.normalised()
    require_valid(*order.problems(aggregates))
    for aggregate in aggregates:
        if not (aggregate.restricted or aggregate.erased):
            aggregate.acts.require_another(context)
            aggregate.trigger_event(
                stream_type_of(aggregate).restricted,
                legal_basis=order.legal_basis,
                case=order.case,
                **context.stamp,
            )


def lift_restriction(
    aggregates: Sequence[Aggregate], order: Order, context: CommandContext
) -> None:
    """解除限制.

    Raises:
        InvalidDetails
        NotRestricted: none of them is restricted.
        TooManyToday: this account has restricted and lifted too often today.
    """
    order = order.normalised()
    require_valid(*order.problems(aggregates))
    restricted = [aggregate for aggregate in aggregates if aggregate.restricted]
    if not restricted:
        raise NotRestricted
    for aggregate in restricted:
        aggregate.acts.require_another(context)
        aggregate.trigger_event(
            stream_type_of(aggregate).restriction_lifted,
            legal_basis=order.legal_basis,
            case=order.case,
            **context.stamp,
        )


def erase(
    aggregates: Sequence[Aggregate],
    order: Order,
    *,
    key: str,
    backups_hold_key_until: date,
    context: CommandContext,
) -> bool:
    """删除个人信息: one officer asks, and another one's same order executes it.

    The first order is on record on each of the holder's streams, and is good for
    :data:`REQUEST_DAYS`; repeated by the same officer it changes nothing. The second one appends
    the last event of each. An officer is the account that acts, never a name that it states.

    ``key`` is the commitment to the key that is destroyed with the event.

    Returns:
        Whether the holder is erased now; if not, the order waits for another officer.

    Raises:
        InvalidDetails
        TooManyToday
        TwoOfficersRequired: another officer has asked for another reason, or in another case.
    """
    order = order.normalised()
    require_valid(*order.problems(aggregates))
    kept = [aggregate for aggregate in aggregates if not aggregate.erased]
    if not kept:
        return True
    asked = waiting_request(aggregates, context.at)
    if asked is None:
        _request(kept, order, context)
        return False
    if asked.officer == context.actor:
        return False
    if (asked.legal_basis, asked.case) != (order.legal_basis, order.case):
        raise TwoOfficersRequired
    for aggregate in kept:
        aggregate.trigger_event(
            stream_type_of(aggregate).erased,
            holder_id=aggregate.holder_id,
            legal_basis=order.legal_basis,
            case=order.case,
            approvals=[asked.officer, context.actor],
            key=key,
            backups_hold_key_until=backups_hold_key_until,
            **context.stamp,
        )
    return True


def withdraw_erasure(aggregates: Sequence[Aggregate], context: CommandContext) -> None:
    """撤回删除申请: by the officer who asked, or by another one who does not approve.

    Raises:
        TooManyToday
        NoErasureRequested: none waits.
    """
    if waiting_request(aggregates, context.at) is None:
        raise NoErasureRequested
    for aggregate in aggregates:
        if aggregate.erasure_request is not None:
            aggregate.acts.require_another(context)
            aggregate.trigger_event(stream_type_of(aggregate).erasure_withdrawn, **context.stamp)


def waiting_request(aggregates: Sequence[Aggregate], at: datetime) -> ErasureRequest | None:
    """The request that waits for another officer, if one does. A permit that was issued since has
    none of its own."""
    requests = [
        request
        for aggregate in aggregates
        if (request := aggregate.erasure_request) and request.expires_at > at
    ]
    return requests[0] if requests else None


def _request(aggregates: Sequence[Aggregate], order: Order, context: CommandContext) -> None:
    for aggregate in aggregates:
        aggregate.acts.require_another(context)
        aggregate.trigger_event(
            stream_type_of(aggregate).erasure_requested,
            legal_basis=order.legal_basis,
            case=order.case,
            expires_at=context.at + timedelta(days=REQUEST_DAYS),
            **context.stamp,
        )


def _text_problems(
    field: str, written: str, aggregates: Sequence[Aggregate]
) -> Iterator[FieldProblem]:
    if not 1 <= len(written) <= TEXT_LENGTH_MAX:
        yield FieldProblem(field, f"must be one line of 1 to {TEXT_LENGTH_MAX} characters")
    elif unseen := text.unseen(written):
        yield FieldProblem(field, unseen)
    elif citizen_id.is_in(written) or any(_names(written, aggregate) for aggregate in aggregates):
        yield FieldProblem(field, "must not identify the holder: it stays in the log in the clear")


def _names(written: str, aggregate: Aggregate) -> bool:
    if aggregate.identity is ERASED:
        return False
    return _run_together(aggregate.identity.name) in _run_together(written)


def _run_together(written: str) -> str:
    """The text without separators between its letters, full-width ones as plain ones."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", written))
