"""An event's personal part, sealed: ``{"holder": …, "key": …, "box": …, "digests": …}`` under
``sealed``.

``box`` is the JSON of the personal fields and their salts under AES-256-GCM, for this stream,
version and topic alone (base64); ``key`` the commitment to the holder's key; ``digests`` those of
each field's disclosure (:mod:`ledger.crypto.disclosures`). Without ``digests``, as before there
were any, and as in checks, ``box`` has the personal fields alone. Plain and personal fields never
mix: a personal field in the clear is refused, so that no name can be put beside the ciphertext.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

import orjson
from eventsourcing.persistence import StoredEvent

from domain.personal import ERASED, Parts
from ledger.errors import SealBroken

from .disclosures import Disclosure, digests_in, disclosures_of, salted
from .holder_keys import HolderKey

FIELD = "sealed"
_PARTS, _OPENED_PARTS = 3, 2

State = dict[str, Any]


class Envelope(NamedTuple):
    """Replaces the personal fields in an event's state."""

    holder: str
    key: str
    box: str
    digests: str | None = None

    @classmethod
    def of(cls, value: Any) -> Self:
        """
        Raises:
            SealBroken: the value is no envelope.
        """
        match value:
            case {"holder": str(holder), "key": str(key), "box": str(box)} if len(value) == _PARTS:
                return cls(holder, key, box)
            case {
                "holder": str(holder),
                "key": str(key),
                "box": str(box),
                "digests": str(digests),
            } if len(value) == _PARTS + 1:
                return cls(holder, key, box, digests)
        raise SealBroken("what stands for the sealed part is no envelope")

    def open(self, key: HolderKey, place: tuple[str, ...]) -> State:
        """Decrypt the personal fields.

        Raises:
            SealBroken
        """
        return self._opened(key, place)[0]

    def disclosures(self, key: HolderKey, place: tuple[str, ...]) -> list[Disclosure]:
        """Decrypt the personal fields, each with what proves it; none of an event from before there
        were disclosures.

        Raises:
            SealBroken: also where one of them is not among the digests.
        """
        if self.digests is None:
            return []
        found = disclosures_of(*self._opened(key, place))
        if not {each.digest for each in found} <= digests_in(self.digests):
            raise SealBroken("the sealed part has fields that are not those of its digests")
        return found

    def _opened(self, key: HolderKey, place: tuple[str, ...]) -> tuple[State, bytes]:
        """The personal fields and their salts."""
        if key.commitment != self.key:
            raise SealBroken("it was sealed with another key than this holder's")
        try:
            ciphertext = a2b_base64(self.box, strict_mode=True)
        except ValueError:
            raise SealBroken from None
        try:
            opened = orjson.loads(key.open(ciphertext, *place))
        except orjson.JSONDecodeError:
            opened = None
        match opened:
            case dict() if self.digests is None:
                return opened, b""
            case {"fields": dict(fields), "salts": str(salts)} if len(opened) == _OPENED_PARTS:
                with suppress(ValueError):
                    return fields, bytes.fromhex(salts)
        raise SealBroken("the sealed part holds no fields")


def seal(personal: State, key: HolderKey, place: tuple[str, ...]) -> State:
    """Encrypt personal fields; returns the envelope for the state."""
    return _sealed(orjson.dumps(personal), key, place)


def seal_disclosable(personal: State, key: HolderKey, place: tuple[str, ...]) -> State:
    """The same, with salts, and with digests by which each field can be disclosed by itself."""
    fields = orjson.dumps(personal)
    salts, digests = salted(orjson.loads(fields))
    content = b'{"fields":%b,"salts":"%b"}' % (fields, salts.hex().encode())
    return {**_sealed(content, key, place), "digests": digests}


def _sealed(content: bytes, key: HolderKey, place: tuple[str, ...]) -> State:
    ciphertext = b2a_base64(key.seal(content, *place), newline=False)
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
