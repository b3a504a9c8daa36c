"""Which fields of an event are personal, declared once, by their type.

The event store encrypts personal fields with the holder's key. Once that key is destroyed they read
:data:`ERASED`; plain fields stay, and with them all proofs.

Numbers, dates and codes (``int``, ``bool``, ``date``, ``datetime``, an enum) are plain by their
type unless they are part of a personal value; every text is declared as one or the other.
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
    """The value of a personal field whose key was destroyed."""

    ERASED = "erased"

    def __str__(self) -> str:
        return self.value


class Kind(Enum):
    """Whether a field is plain or personal; internal ones are plain, and not published."""

    PLAIN = "plain"
    INTERNAL = "internal"
    PERSONAL = "personal"


ERASED: Final = Erased.ERASED

T = TypeVar("T")
Personal = Annotated[T | Literal[Erased.ERASED], Kind.PERSONAL]
Plain = Annotated[T, Kind.PLAIN]
Internal = Annotated[T, Kind.INTERNAL]
"""In the clear in the log, for those who audit it; empty on the topics."""

_PLAIN_TYPES = (int, date, Enum, NoneType)


class UnknownKind(TypeError):
    """A field that is neither plain nor personal."""


@dataclass(frozen=True, slots=True)
class Parts:
    """How the fields of a value divide: those that are personal as a whole; those that are ``kept``
    in the clear, as a whole or in part; and the parts of those ``mixed``.

    ``paths`` are all personal fields, dotted where they lie in a value; without any the value is
    plain. ``internal`` are fields among those kept.
    """

    all: tuple[str, ...]
    personal: tuple[str, ...]
    kept: tuple[str, ...]
    mixed: Mapping[str, Parts]
    paths: tuple[str, ...]
    internal: tuple[str, ...]

    def without(self, names: Collection[str]) -> Parts:
        """The same for a value that lacks these plain fields."""
        kept = tuple(name for name in self.kept if name not in names)
        return replace(self, kept=kept, all=(*self.personal, *kept))


@cache
def parts(holder: type) -> Parts:
    """Divide the fields of an event type, or of the type of a value in it.

    Raises:
        UnknownKind: a field is declared as neither.
    """
    hints = type_hints(holder, include_extras=True)
    personal, kept, internal, mixed = [], [], [], {}
    for field in fields(holder):
        where, hint = f"{holder.__name__}.{field.name}", hints[field.name]
        kind = _declared(hint)
        if kind is Kind.PERSONAL:
            personal.append(field.name)
            continue
        kept.append(field.name)
        if kind is Kind.INTERNAL:
            internal.append(field.name)
        if kind is None and (inner := _inner(hint, where)) and inner.paths:
            mixed[field.name] = inner
    inner_paths = [f"{name}.{path}" for name, inner in mixed.items() for path in inner.paths]
    return Parts(
        all=(*personal, *kept),
        personal=tuple(personal),
        kept=tuple(kept),
        mixed=mixed,
        paths=(*personal, *inner_paths),
        internal=tuple(internal),
    )


def _declared(hint: Any) -> Kind | None:
    if get_origin(hint) is not Annotated:
        return None
    return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Kind)), None)


def _inner(hint: Any, where: str) -> Parts | None:
    """The parts of a value that declares its own fields; ``None`` for a plain one."""
    if is_dataclass(hint) and isinstance(hint, type):
        return parts(hint)
    members = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    if all(isinstance(member, type) and issubclass(member, _PLAIN_TYPES) for member in members):
        return None
    raise UnknownKind(f"{where} is neither plain nor personal: declare Plain[…] or Personal[…]")
