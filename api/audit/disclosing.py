"""Which of a holder's fields an investigator has opened, each with its proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Final, get_args
from typing import get_type_hints as type_hints

from fastapi import Query

from api.http.problems import invalid_parameter
from domain.personal import parts
from domain.policy import DISCLOSABLE
from domain.stream_types import EVENTS
from ledger.codec.upcasting import STEPS

NAMES_MAX = 50
_OF_THE_HOLDER: Final = ("identity.", "residence.")

Disclose = Annotated[
    str | None,
    Query(
        max_length=1_000,
        description="fields of the holder to open, each with its proof, with commas between:"
        " `name,residence.address`; without it none is opened",
    ),
]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Names of fields, with dots between the names that lead to one; the holder's own may go
    without what they are in: ``name`` is ``identity.name``, and not a guardian's."""

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | None) -> Chosen:
        """
        Raises:
            RequestValidationError: it is no list of such names.
        """
        names = text.split(",") if text else []
        if len(names) > NAMES_MAX:
            raise invalid_parameter("disclose", f"at most {NAMES_MAX} names are expected")
        if not are_fields(names):
            raise invalid_parameter("disclose", "names of fields are expected, with commas between")
        return cls(tuple(dict.fromkeys(names)))

    def covers(self, path: str) -> bool:
        """Return whether a field is opened; the name of an object opens all that is in it."""
        return any(f"{each}.".startswith(f"{name}.") for each in _of(path) for name in self.names)


def are_fields(names: list[str]) -> bool:
    """Return whether all are names of fields: then there is nothing personal in them."""
    return _known().issuperset(names)


@cache
def _known() -> frozenset[str]:
    """All personal fields of events, old versions' too, and what they are in; besides what a check
    may show, some of which is in the clear."""
    personal = {path for event in EVENTS for path in _personal(event)}
    personal |= {path for step in STEPS.values() for path in step.personal}
    outer = {path.rpartition(".")[0] for path in personal} - {""}
    return DISCLOSABLE | {name for path in personal | outer for name in _of(path)}


def _of(path: str) -> list[str]:
    """The names of a field, in full and short."""
    return [path, *(path.removeprefix(of) for of in _OF_THE_HOLDER if path.startswith(of))]


def _personal(of: type, within: str = "") -> Iterator[str]:
    found, hints = parts(of), type_hints(of)
    for name in found.personal:
        yield from _with_inner(hints[name], f"{within}{name}")
    for name in found.mixed:
        yield from _personal(hints[name], f"{within}{name}.")


def _with_inner(hint: Any, path: str) -> Iterator[str]:
    yield path
    for member in (hint, *get_args(hint)):
        if isinstance(member, type) and is_dataclass(member):
            inner = type_hints(member)
            for field in fields(member):
                yield from _with_inner(inner[field.name], f"{path}.{field.name}")
