"""What data-protection law may ask for a holder: to be kept unused, to be used again, to be erased.

A holder may have had several permits, or applications; each of them is told the same.
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
    """On what legal basis, in which case. Both stay in the log in the clear, for ever: neither may
    tell who the holder is."""

    legal_basis: str
    case: str

    def normalised(self) -> Order:
        return Order(text.line(self.legal_basis), text.line(self.case))

    def problems(self, lives: Sequence[Aggregate]) -> Iterator[FieldProblem]:
        yield from _text_problems("legal_basis", self.legal_basis, lives)
        yield from _text_problems("case", self.case, lives)


def restrict(lives: Sequence[Aggregate], order: Order, context: CommandContext) -> None:
    """限制处理: checks answer as if the record could not be read, and nobody is shown it.

    Raises:
        InvalidDetails
    """
    order = order.normalised()
    require_valid(*order.problems(lives))
    for life in lives:
        if not (life.restricted or life.erased):
            life.trigger_event(
                stream_type_of(life).restricted,
                legal_basis=order.legal_basis,
                case=order.case,
                **context.stamp,
            )


def lift_restriction(lives: Sequence[Aggregate], order: Order, context: CommandContext) -> None:
    """解除限制.

    Raises:
        InvalidDetails
        NotRestricted: none of them is.
    """
    order = order.normalised()
    require_valid(*order.problems(lives))
    restricted = [life for life in lives if life.restricted]
    if not restricted:
        raise NotRestricted
    for life in restricted:
        life.trigger_event(
            stream_type_of(life).restriction_lifted,
            legal_basis=order.legal_basis,
            case=order.case,
            **context.stamp,
        )


def erase(
    lives: Sequence[Aggregate],
    order: Order,
    approvals: Sequence[str],
    *,
    key: str,
    backups_hold_key_until: date,
    context: CommandContext,
) -> None:
    """删除个人信息: the last event of every life. Erased already, nothing happens.

    ``key`` is the commitment to the key that is destroyed with it.

    Raises:
        InvalidDetails
        TwoOfficersRequired: fewer than two, or one of them twice.
    """
    order = order.normalised()
    officers = [text.line(officer) for officer in approvals]
    problems = [
        problem for officer in officers for problem in _text_problems("approvals", officer, lives)
    ]
    require_valid(*order.problems(lives), *problems)
    if len(set(map(_account, officers))) < max(OFFICERS_MIN, len(officers)):
        raise TwoOfficersRequired
    for life in lives:
        if not life.erased:
            life.trigger_event(
                stream_type_of(life).erased,
                holder_id=life.holder_id,
                legal_basis=order.legal_basis,
                case=order.case,
                approvals=officers,
                key=key,
                backups_hold_key_until=backups_hold_key_until,
                **context.stamp,
            )


def _text_problems(field: str, written: str, lives: Sequence[Aggregate]) -> Iterator[FieldProblem]:
    if not 1 <= len(written) <= TEXT_LENGTH_MAX:
        yield FieldProblem(field, f"one line of 1 to {TEXT_LENGTH_MAX} characters is expected")
    elif unseen := text.unseen(written):
        yield FieldProblem(field, unseen)
    elif citizen_id.is_in(written) or any(_names(written, life) for life in lives):
        yield FieldProblem(field, "it stays in the log for ever and must not tell who is meant")


def _names(written: str, life: Aggregate) -> bool:
    if life.identity is ERASED:
        return False
    return _run_together(life.identity.name) in _run_together(written)


def _account(officer: str) -> str:
    """The same for whatever differs in case, spaces and width alone."""
    plain = unicodedata.normalize("NFKC", officer).casefold()
    return "".join(unicodedata.normalize("NFKC", plain).split())


def _run_together(written: str) -> str:
    """Without whatever may stand between letters, full-width ones as plain ones."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", written))
