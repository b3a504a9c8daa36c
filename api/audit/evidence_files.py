"""The files of evidence: they prove one permit's history to a third party.

``tools/verify_evidence.py`` verifies them, and is included. It also writes the summary for people,
from what it has verified: the zip has none that could say something else.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

import orjson

from api.http.rendering import Json
from transparency.entries import Recorded
from transparency.last_events import LastEvent
from transparency.manifests import Manifest
from transparency.notes import Note, NoteVerifier
from transparency.prefix_tree import Leaf
from transparency.proof_text import TlogProof

from .answers import EventAnswer

FORMAT: Final = "permit-ledger-evidence/3"
SIGNATURE: Final = "permit-evidence+jwt"
"""The type of the JWS that signs the list of files."""
VERIFIER = "verify_evidence.py"
PART_BYTES = 256 * 1024
"""Of the zip, in memory at a time."""
_ELSEWHERE = {"details", "stored", "disclosures"}
"""What of an event stands in files of its own."""
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the zip, so that equal evidence has equal bytes."""


@dataclass(frozen=True, slots=True)
class ProvedEvent:
    """``state`` are the stored bytes, ``recorded`` has the tree's entry of them, ``disclosures``
    prove the personal fields that are opened."""

    answer: EventAnswer
    state: bytes
    recorded: Recorded
    proof: TlogProof
    disclosures: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Completeness:
    """Proof that no later event is missing: the last one in the map of a manifest, its path to the
    map's root, and the manifest's proof. Where there is none at all, ``beside`` is the leaf that
    stands in its place, if one does."""

    manifest: Manifest
    last: LastEvent | None
    beside: Leaf | None
    path: Sequence[bytes]
    entry_proof: TlogProof
    consistency: list[bytes]


@dataclass(frozen=True, slots=True)
class Issuer:
    """The log and the service that evidence comes from. ``service_keys`` is the JWKS that verifies
    what ``sign`` signs."""

    origin: str
    policy: Json
    log_keys: list[NoteVerifier]
    witness_keys: list[NoteVerifier]
    service_keys: Json
    sign: Callable[[Json], str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """``checkpoints`` are ``before`` and ``after`` the instant ``at``, where there are such, and
    the ``newest``, in this order; ``growth`` leads from each to the next."""

    issuer: Issuer
    stream: str
    case: str
    asked_by: str
    made_at: datetime
    at: datetime
    position: int
    disclosed: Sequence[str]
    events: list[ProvedEvent]
    checkpoints: Mapping[str, Note]
    growth: Mapping[str, list[bytes]]
    completeness: Completeness | None
    state: Json | None

    def zipped(self) -> Iterator[bytes]:
        """Make the zip, part by part. Last come the list of all other files with their digests, and
        the list's signature: what is not listed, or is not as listed, is not evidence."""
        written = _Written()
        digests: dict[str, str] = {}
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self._files():
                digest = hashlib.sha256()
                with archive.open(_info(name), "w") as file:
                    for part in [content] if isinstance(content, bytes) else content:
                        digest.update(part)
                        file.write(part)
                        if written.size > PART_BYTES:
                            yield written.taken()
                digests[name] = digest.hexdigest()
            listed = _json(self._index(digests))
            archive.writestr(_info("evidence.json"), listed)
            archive.writestr(_info("evidence.jws"), self._signature(listed) + "\n")
        yield written.taken()

    def _signature(self, listed: bytes) -> str:
        return self.issuer.sign(
            {
                "iat": int(self.made_at.timestamp()),
                "origin": self.issuer.origin,
                "stream": self.stream,
                "evidence_sha256": hashlib.sha256(listed).hexdigest(),
            }
        )

    def _index(self, digests: Mapping[str, str]) -> Json:
        return {
            "format": FORMAT,
            "origin": self.issuer.origin,
            "stream": self.stream,
            "case": self.case,
            "asked_by": self.asked_by,
            "made_at": self.made_at,
            "at": self.at,
            "as_of_position": self.position,
            "disclosed": self.disclosed,
            "events": [
                {
                    "position": event.answer.position,
                    "version": event.answer.version,
                    "topic": event.answer.type,
                    "recorded_at": orjson.loads(event.recorded.details)["recorded_at"],
                }
                for event in self.events
            ],
            "files": digests,
        }

    def _files(self) -> Iterator[tuple[str, bytes | Iterator[bytes]]]:
        yield "README.txt", _resource("api", "templates/evidence.txt")
        yield VERIFIER, _resource("tools", VERIFIER)
        yield "policy.json", _json(self.issuer.policy)
        yield "keys/log.txt", _lines(self.issuer.log_keys)
        yield "keys/witnesses.txt", _lines(self.issuer.witness_keys)
        yield "keys/service.json", _json(self.issuer.service_keys)
        yield "opened/history.json", self._history()
        if self.state is not None:
            yield "opened/state.json", _json(self.state)
        for name, note in self.checkpoints.items():
            yield f"checkpoints/{name}.txt", str(note).encode()
        for name, path in self.growth.items():
            yield f"consistency/{name}.txt", _hashes(path)
        for event in self.events:
            position = event.answer.position
            yield f"entries/{position}.json", event.recorded.entry
            yield f"details/{position}.json", event.recorded.details
            yield f"states/{position}.bin", event.state
            if event.disclosures:
                yield f"disclosures/{position}.txt", b"".join(d + b"\n" for d in event.disclosures)
            yield f"proofs/{position}.tlog-proof", str(event.proof).encode()
        if complete := self.completeness:
            if complete.last:
                yield "manifest/row.json", complete.last.row
            if beside := complete.beside:
                leaf = {"key": beside.key.hex(), "value": beside.value.hex()}
                yield "manifest/beside.json", _json(leaf)
            yield "manifest/row-path.txt", _hashes(complete.path)
            yield "manifest/entry.json", complete.manifest.entry
            yield "manifest/entry.tlog-proof", str(complete.entry_proof).encode()
            yield "manifest/consistency.txt", _hashes(complete.consistency)

    def _history(self) -> Iterator[bytes]:
        """One JSON array, event by event."""
        yield b"["
        for n, event in enumerate(self.events):
            yield (b",\n" if n else b"") + _json(event.answer.model_dump(exclude=_ELSEWHERE))
        yield b"]\n"


class _Written(io.RawIOBase):
    """What was written since it was last taken. It can't be rewound, as ``zipfile`` finds out."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self.size += len(self._parts[-1])
        return len(self._parts[-1])

    def taken(self) -> bytes:
        whole, self._parts, self.size = b"".join(self._parts), [], 0
        return whole


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _MOMENT)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _hashes(path: Iterable[bytes]) -> bytes:
    return b"".join(b64encode(each) + b"\n" for each in path)


def _lines(keys: Iterable[NoteVerifier]) -> bytes:
    return "".join(f"{key}\n" for key in keys).encode()


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=dict)


def _resource(package: str, name: str) -> bytes:
    return files(package).joinpath(name).read_bytes()
