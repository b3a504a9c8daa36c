"""An event's personal part, sealed: ``{"holder": …, "key": …, "box": …}`` under ``sealed``.

``box`` is the JSON of the personal fields under AES-256-GCM, for this stream, version and topic
alone (base64); ``key`` the commitment to the holder's key. Plain and personal fields never mix: a
personal field in the clear is refused, so that no name can be put beside the ciphertext.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import orjson
from eventsourcing.persistence import StoredEvent

from domain.personal import ERASED, Parts
from ledger.errors import SealBroken

from .holder_keys import HolderKey

FIELD = "sealed"
_PARTS = 3

State = dict[str, Any]


class Envelope(NamedTuple):
    """Replaces the personal fields in an event's state."""

    holder: str
    key: str
    box: str

    @classmethod
    def of(cls, value: Any) -> Self:
        """
        Raises:
            SealBroken: the value is no envelope.
        """
        match value:
            case {"holder": str(holder), "key": str(key), "box": str(box)} if len(value) == _PARTS:
                return cls(holder, key, box)
        raise SealBroken("what stands for the sealed part is no envelope")

    def open(self, key: HolderKey, place: tuple[str, ...]) -> State:
        """Decrypt the personal fields.

        Raises:
            SealBroken
        """
        if key.commitment != self.key:
            raise SealBroken("it was sealed with another key than this holder's")
        try:
            ciphertext = a2b_base64(self.box, strict_mode=True)
        except ValueError:
            raise SealBroken from None
        try:
            personal = orjson.loads(key.open(ciphertext, *place))
        except orjson.JSONDecodeError:
            personal = None
        if not isinstance(personal, dict):
            raise SealBroken("the sealed part holds no fields")
        return personal


def seal(personal: State, key: HolderKey, place: tuple[str, ...]) -> State:
    """Encrypt personal fields; returns the envelope for the state."""
    ciphertext = b2a_base64(key.seal(orjson.dumps(personal), *place), newline=False)
    return {"holder": key.holder_id, "key": key.commitment, "box": ciphertext.decode()}


def place_of(stored: StoredEvent) -> tuple[str, ...]:
    """The place that an event's envelope is bound to."""
    return str(stored.originator_id), str(stored.originator_version), stored.topic


def divide(facts: Mapping[str, Any], parts: Parts) -> tuple[State, State]:
    """Divide the plain fields from the personal ones."""
    plain = {name: facts[name] for name in parts.kept}
    personal = {name: facts[name] for name in parts.personal}
    for name, inner in parts.mixed.items():
        value = facts[name]
        of_value = {part: getattr(value, part) for part in inner.all}
        plain[name], personal[name] = divide(of_value, inner)
    return plain, personal


def join(state: State, personal: State) -> None:
    """Put decrypted fields into ``state``.

    Raises:
        SealBroken: the state holds one of them already.
    """
    for name, value in personal.items():
        if name not in state:
            state[name] = value
        elif isinstance(value, dict) and isinstance(state[name], dict):
            join(state[name], value)
        else:
            raise SealBroken("a sealed field stands beside its seal")


def blank(state: State, paths: Iterable[str]) -> None:
    """Put ``ERASED`` into the personal fields of ``state``.

    Raises:
        SealBroken: the state has something else where a value with such fields belongs.
    """
    for path in paths:
        *outer, name = path.split(".")
        inner = state
        for step in outer:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise SealBroken("a sealed field stands beside its seal")
        inner[name] = ERASED


def clear_field(state: State, paths: Iterable[str]) -> str | None:
    """A personal field that is in the clear, if there is one."""
    for path in paths:
        *outer, name = path.split(".")
        inner: Any = state
        for step in outer:
            inner = inner.get(step) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and name in inner:
            return path
    return None
