"""What a field of an event may hold one way or another: something or ``None``, and each member of
an enumeration. An event stored with one of them must stay readable."""

from dataclasses import is_dataclass
from enum import EnumType
from inspect import get_annotations
from types import NoneType
from typing import get_args, get_type_hints

SOMETHING = "something"


def alternatives(cls):
    """All that an event's class allows, as ``(field, what)``; those of the values in it too."""
    for where, name in _fields(cls):
        hint = get_type_hints(cls)[name]
        kinds = get_args(hint) or (hint,)
        if NoneType in kinds:
            yield from ((where, None), (where, SOMETHING))
        for kind in kinds:
            if isinstance(kind, EnumType):
                yield from ((where, member) for member in kind)
            elif is_dataclass(kind):
                yield from alternatives(kind)


def held(value):
    """Those that this event holds."""
    for where, name in _fields(type(value)):
        field = getattr(value, name)
        yield where, None if field is None else SOMETHING
        if isinstance(type(field), EnumType):
            yield where, field
        elif isinstance(field, list):
            yield from ((where, one) for one in field if isinstance(type(one), EnumType))
        elif is_dataclass(field):
            yield from held(field)


def _fields(cls):
    """By the class that declares it: what all events have, one of them may be the example for."""
    for owner in cls.__mro__:
        for name in get_annotations(owner):
            if name in cls.__dataclass_fields__:
                yield f"{owner.__name__}.{name}", name
