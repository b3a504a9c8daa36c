"""The witness policy: which cosignatures a checkpoint needs (C2SP tlog-policy), as a text of lines.

::

    witness rathaus rathaus.example/w1+5a3f…+BAk… https://rathaus.example/w1
    witness press press.example/w+77b0…+BDx…
    group either any rathaus press
    quorum either

Names are bytes and are not changed: invalid UTF-8 is kept as Python's surrogate escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from transparency.notes import (
    COSIGNATURE,
    COSIGNATURE_MLDSA44,
    ED25519,
    BadNote,
    Note,
    NoteVerifier,
    Unsigned,
)

POLICY_BYTES_MAX = 256 * 1024
LINES_OF_A_KIND_MAX = 64
"""Logs, witnesses, groups; the specification asks for 32 of each."""

NONE = "none"

_ALLOWED = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")
_BLANK = re.compile(r"[ \t]+")
_COUNT = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_URL = re.compile(r"https?://[^@?#]+", re.ASCII)


class BadPolicy(ValueError):
    """It is no policy; the message names the line."""


class KnownLog(NamedTuple):
    key: NoteVerifier
    url: str | None = None

    def __str__(self) -> str:
        return f"log {self.key}{f' {self.url}' if self.url else ''}\n"


class Witness(NamedTuple):
    """``url`` is its submission prefix; without one it cannot be asked, but may still sign."""

    name: str
    key: NoteVerifier
    url: str | None = None

    def __str__(self) -> str:
        return f"witness {self.name} {self.key}{f' {self.url}' if self.url else ''}\n"


class Group(NamedTuple):
    """Has seen what ``threshold`` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]

    def __str__(self) -> str:
        return f"group {self.name} {self.threshold} {' '.join(self.members)}\n"


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """``quorum`` names a witness or a group; ``None``: no cosignature is required."""

    logs: tuple[KnownLog, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str | None = None

    @classmethod
    def of(cls, content: bytes) -> WitnessPolicy:
        """
        Raises:
            BadPolicy
        """
        return _Reading().policy(content)

    def is_witnessed(self, checkpoint: Note) -> bool:
        """Whether the quorum has cosigned it. Other people's signatures don't matter, nor what is
        wrong with one of a witness; whether the log has signed is another question."""
        if self.quorum is None:
            return True
        signers = {(signature.name, signature.key_id) for signature in checkpoint.signatures}
        claimed = {w.name for w in self.witnesses if (w.key.name, w.key.key_id) in signers}
        if not self._has(claimed):  # not even if all of that is true
            return False
        return self._has({w.name for w in self.witnesses if _has_cosigned(w.key, checkpoint)})

    def _has(self, signed: Iterable[str]) -> bool:
        """Whether the quorum is met by these witnesses."""
        met = set(signed)
        for group in self.groups:  # each after its members
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum in met

    def of_logs(self, logs: Iterable[KnownLog]) -> str:
        """As others read it: these logs, our witnesses, our quorum."""
        lines: list[KnownLog | Witness | Group] = [*logs, *self.witnesses, *self.groups]
        return "".join(map(str, lines)) + f"quorum {self.quorum or NONE}\n"


NO_WITNESSES = WitnessPolicy()


def _has_cosigned(key: NoteVerifier, checkpoint: Note) -> bool:
    """One valid signature among those under its name is enough, since it cannot be forged."""
    for signature in checkpoint.signatures:
        if (signature.name, signature.key_id) == (key.name, key.key_id):
            try:
                key.check(checkpoint.text, signature)
            except Unsigned:
                continue
            return True
    return False


@dataclass
class _Reading:
    """Parses line by line; holds what is defined so far."""

    logs: list[KnownLog] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    quorum: str = ""

    def policy(self, content: bytes) -> WitnessPolicy:
        if len(content) > POLICY_BYTES_MAX:
            raise BadPolicy("the policy is too large")
        if not _ALLOWED.fullmatch(content):
            raise BadPolicy("a policy has no control characters but tab and newline")
        if content and not content.endswith(b"\n"):
            raise BadPolicy("the last line of the policy is not ended")
        lines = content.decode("utf-8", "surrogateescape").split("\n")
        for number, line in enumerate(lines, 1):
            items = _BLANK.split(line.strip(" \t"))
            if items[0] and not items[0].startswith("#"):
                self._line(number, items)
        if not self.quorum:
            raise BadPolicy("the policy has no quorum line")
        quorum = None if self.quorum == NONE else self.quorum
        return WitnessPolicy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), quorum)

    def _line(self, number: int, items: list[str]) -> None:
        kinds: Mapping[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        try:
            if items[0] not in kinds:
                raise BadPolicy("it begins with none of log, witness, group, quorum")
            kinds[items[0]](items[1:])
        except ValueError as error:
            raise BadPolicy(f"line {number} of the policy: {error}") from None

    def _log(self, items: list[str]) -> None:
        if len(items) not in {1, 2}:
            raise BadPolicy("a log has a key, and perhaps an address")
        key = _key(items[0], {ED25519})
        if any(key.public == known.key.public for known in self.logs):
            raise BadPolicy("this log's key is there already")
        self.logs.append(KnownLog(key, *items[1:]))
        _bounded(self.logs)

    def _witness(self, items: list[str]) -> None:
        if len(items) not in {2, 3}:
            raise BadPolicy("a witness has a name, a key, and perhaps an address")
        key = _key(items[1], {COSIGNATURE, COSIGNATURE_MLDSA44})
        if any(key.public == known.key.public for known in self.witnesses):
            raise BadPolicy("this witness's key is there already")
        if items[2:] and not _URL.fullmatch(items[2]):
            raise BadPolicy("a witness's address is http or https, with no user or query in it")
        self._define(items[0])
        self.witnesses.append(Witness(items[0], key, *items[2:]))
        _bounded(self.witnesses)

    def _group(self, items: list[str]) -> None:
        if len(items) < 3:  # noqa: PLR2004  name, threshold, member
            raise BadPolicy("a group has a name, a threshold and members")
        name, threshold, *members = items
        for member in members:
            if member not in self.names:
                raise BadPolicy("a member of the group is not defined before it")
            if member in self.members:
                raise BadPolicy("a member of the group is one already, here or elsewhere")
            self.members.add(member)
        self._define(name)
        self.groups.append(Group(name, _threshold(threshold, len(members)), tuple(members)))
        _bounded(self.groups)

    def _quorum(self, items: list[str]) -> None:
        if self.quorum:
            raise BadPolicy("there is a quorum line before it")
        if len(items) != 1:
            raise BadPolicy("a quorum is one name")
        if items[0] != NONE and items[0] not in self.names:
            raise BadPolicy("the quorum is not defined before it")
        self.quorum = items[0]

    def _define(self, name: str) -> None:
        if name == NONE or name in self.names:
            raise BadPolicy("this name has a meaning already")
        self.names.add(name)


def _key(text: str, kinds: set[int]) -> NoteVerifier:
    try:
        key = NoteVerifier.of(text)
    except BadNote as error:
        raise BadPolicy(str(error)) from None
    if key.kind not in kinds:
        raise BadPolicy("the key is of another kind: logs sign, witnesses cosign")
    return key


def _threshold(text: str, members: int) -> int:
    if text in {"any", "all"}:
        return 1 if text == "any" else members
    if not _COUNT.fullmatch(text) or int(text) > members:
        raise BadPolicy("a group's threshold is any, all, or a number of its members")
    return int(text)


def _bounded(lines: list[KnownLog] | list[Witness] | list[Group]) -> None:
    if len(lines) > LINES_OF_A_KIND_MAX:
        raise BadPolicy(f"there are more than {LINES_OF_A_KIND_MAX} of these")
