"""Restriction of a holder's data, its lifting, and erasure, as data-protection law requires them.

A holder may have had several permits, or applications; each of them gets the event.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from . import citizen_id, text
from .aggregate import Aggregate
from .context import CommandContext
from .errors import FieldProblem, NotRestricted, TwoOfficersRequired, require_valid
from .personal import ERASED
from .stream_types import stream_type_of

TEXT_LENGTH_MAX = 200
OFFICERS_MIN = 2
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
    approvals: Sequence[str],
    *,
    key: str,
    backups_hold_key_until: date,
    context: CommandContext,
) -> None:
    """删除个人信息: append the last event of each; one that is erased already gets none.

    ``key`` is the commitment to the key that is destroyed with the event.

    Raises:
        InvalidDetails
        TwoOfficersRequired: fewer than two, or the same one twice.
    """
    order = order.normalised()
    officers = [text.line(officer) for officer in approvals]
    problems = [
        problem
        for officer in officers
        for problem in _text_problems("approvals", officer, aggregates)
    ]
    require_valid(*order.problems(aggregates), *problems)
    if len(set(map(_account, officers))) < max(OFFICERS_MIN, len(officers)):
        raise TwoOfficersRequired
    for aggregate in aggregates:
        if not aggregate.erased:
            aggregate.trigger_event(
                stream_type_of(aggregate).erased,
                holder_id=aggregate.holder_id,
                legal_basis=order.legal_basis,
                case=order.case,
                approvals=officers,
                key=key,
                backups_hold_key_until=backups_hold_key_until,
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


def _account(officer: str) -> str:
    """The officer's name without differences of case, spaces and width."""
    plain = unicodedata.normalize("NFKC", officer).casefold()
    return "".join(unicodedata.normalize("NFKC", plain).split())


def _run_together(written: str) -> str:
    """The text without separators between its letters, full-width ones as plain ones."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", written))
