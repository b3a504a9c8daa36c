"""A view's generations: the live one, the one being built, and the previous one."""

from __future__ import annotations

from enum import StrEnum


class Generation(StrEnum):
    """Each is a schema, and a view's table has the same name in all of them."""

    LIVE = "views"
    NEXT = "views_next"
    PREVIOUS = "views_previous"
