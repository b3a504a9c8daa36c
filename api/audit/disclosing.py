"""Which of a holder's fields evidence opens, each with its proof."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Query

from api.http.problems import invalid_parameter

NAMES_MAX = 50
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,4}")
_OF_THE_HOLDER: Final = ("identity.", "residence.")

Disclose = Annotated[
    str | None,
    Query(
        max_length=1_000,
        description="fields of the holder to open, with commas between: `name,residence.address`;"
        " without it none is opened",
    ),
]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Names of fields, with dots between the names that lead to one; the holder's own may go
    without what they are in: ``name`` is ``identity.name``, and not a guardian's."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str | None) -> Chosen:
        """
        Raises:
            RequestValidationError: it is no list of names.
        """
        names = tuple(dict.fromkeys(text.split(","))) if text else ()
        if len(names) > NAMES_MAX or not all(map(_NAME.fullmatch, names)):
            raise invalid_parameter("disclose", "names of fields are expected, with commas between")
        return cls(names)

    def covers(self, path: str) -> bool:
        """Return whether a field is opened; the name of an object opens all that is in it."""
        own = (path, *(path.removeprefix(of) for of in _OF_THE_HOLDER if path.startswith(of)))
        return any(f"{each}.".startswith(f"{name}.") for each in own for name in self.names)
