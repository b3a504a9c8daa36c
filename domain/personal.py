"""Which facts of an event are a person's, said once, where the field is declared.

Whoever stores events seals the personal ones with their holder's own key. When that key has been
destroyed they read :data:`ERASED`; the plain ones stay, and with them everything that is proved.

Numbers, dates and codes (``int``, ``bool``, ``date``, ``datetime``, an enum) are plain by their
type unless they stand inside something personal; every text says what it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as type_hints


class Erased(Enum):
    """What is read where a holder's key was destroyed."""

    ERASED = "erased"

    def __str__(self) -> str:
        return self.value


class Kind(Enum):
    """What a field holds."""

    PLAIN = "plain"
    PERSONAL = "personal"


ERASED: Final = Erased.ERASED

T = TypeVar("T")
Personal = Annotated[T | Literal[Erased.ERASED], Kind.PERSONAL]
Plain = Annotated[T, Kind.PLAIN]

_PLAIN_TYPES = (int, date, Enum, NoneType)


class UnknownKind(TypeError):
    """A field that is neither plain nor personal."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The fields of a value, in their order: those that are personal as a whole; those that are
    ``kept`` in the clear, as a whole or in part; and of what is kept in part, the parts.

    ``paths`` are all that are personal, dotted where they lie in a value; none: all of it is plain.
    """

    all: tuple[str, ...]
    personal: tuple[str, ...]
    kept: tuple[str, ...]
    mixed: Mapping[str, Parts]
    paths: tuple[str, ...]

    def without(self, names: Collection[str]) -> Parts:
        """The same of a value that lacks these fields, which are plain."""
        kept = tuple(name for name in self.kept if name not in names)
        return replace(self, kept=kept, all=(*self.personal, *kept))


@cache
def parts(holder: type) -> Parts:
    """How an event type, or the type of a value in it, divides.

    Raises:
        UnknownKind: for a field of which nothing is said.
    """
    hints = type_hints(holder, include_extras=True)
    personal, kept, mixed = [], [], {}
    for field in fields(holder):
        where, hint = f"{holder.__name__}.{field.name}", hints[field.name]
        kind = _declared(hint)
        if kind is Kind.PERSONAL:
            personal.append(field.name)
            continue
        kept.append(field.name)
        if kind is None and (inner := _inner(hint, where)) and inner.paths:
            mixed[field.name] = inner
    inner_paths = [f"{name}.{path}" for name, inner in mixed.items() for path in inner.paths]
    return Parts(
        all=(*personal, *kept),
        personal=tuple(personal),
        kept=tuple(kept),
        mixed=mixed,
        paths=(*personal, *inner_paths),
    )


def _declared(hint: Any) -> Kind | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Kind)), None)


def _inner(hint: Any, where: str) -> Parts | None:
    """The parts of a value whose own fields say what they are; ``None`` for what is plain."""
    if is_dataclass(hint) and isinstance(hint, type):
        return parts(hint)
    members = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    if all(isinstance(member, type) and issubclass(member, _PLAIN_TYPES) for member in members):
        return None
    raise UnknownKind(f"{where} is neither plain nor personal: say Plain[…] or Personal[…]")
