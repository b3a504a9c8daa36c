"""A view's generations: the one that is read, the one being built, the one it took the place of."""

from __future__ import annotations

from enum import StrEnum


class Generation(StrEnum):
    """Each is a schema, and a view's table has the same name in all of them."""

    LIVE = "views"
    NEXT = "views_next"
    PREVIOUS = "views_previous"
