"""What is shown to a verifier: that an entry is in a signed log, that a log only grew."""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from transparency.proof_text import HEADER

Json = dict[str, Any]


@dataclass(frozen=True)
class Inclusion:
    """The entry, where it is said to be, the path, the checkpoint as a text, and the key that is
    trusted. ``size`` and ``root`` are what the checkpoint says, for those who can't read notes."""

    entry: bytes
    index: int
    path: tuple[bytes, ...]
    note: str
    key: str
    size: int
    root: bytes

    @property
    def proof_text(self) -> str:
        """C2SP tlog-proof, put together by hand: what is in it may be no proof at all."""
        hashes = "".join(f"{_text(each)}\n" for each in self.path)
        return f"{HEADER}\nindex {self.index}\n{hashes}\n{self.note}"

    def question(self, **more: Any) -> str:
        return _line(
            entry=_text(self.entry),
            index=self.index,
            path=[_text(each) for each in self.path],
            note=self.note,
            key=self.key,
            size=self.size,
            root=_text(self.root),
            **more,
        )


@dataclass(frozen=True)
class Consistency:
    old: int
    old_root: bytes
    size: int
    root: bytes
    path: tuple[bytes, ...]

    def question(self, **more: Any) -> str:
        return _line(
            old=self.old,
            old_root=_text(self.old_root),
            size=self.size,
            root=_text(self.root),
            path=[_text(each) for each in self.path],
            **more,
        )


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _line(**members: Any) -> str:
    return json.dumps(members) + "\n"
