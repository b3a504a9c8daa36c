"""The files of evidence: they prove one permit's history to a third party.

``tools/verify_evidence.py`` verifies them, and is included.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.http.rendering import Json
from transparency.manifests import row_entry
from transparency.notes import Note, NoteVerifier
from transparency.proof_text import TlogProof
from transparency.reading import ManifestProof

from .answers import EventAnswer

FORMAT = "permit-ledger-evidence/1"
VERIFIER = "verify_evidence.py"
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the zip, so that equal evidence has equal bytes."""

_templates = Environment(
    loader=PackageLoader("api", "templates"), autoescape=True, undefined=StrictUndefined
)


@dataclass(frozen=True, slots=True)
class ProvedEvent:
    """``state`` are the stored bytes, ``entry`` is the tree's entry of them."""

    answer: EventAnswer
    state: bytes
    entry: bytes
    proof: TlogProof


@dataclass(frozen=True, slots=True)
class Completeness:
    """Proof that no later event is missing: the row in a manifest, and the manifest's proof."""

    row: ManifestProof
    last_leaf: bytes
    entry_proof: TlogProof
    consistency: list[bytes]


@dataclass(frozen=True, slots=True)
class Evidence:
    """``checkpoints`` are ``before`` and ``after`` the instant ``at``, where there are such, and
    the ``newest``, in this order; ``growth`` leads from each to the next."""

    origin: str
    stream: str
    case: str
    asked_by: str
    made_at: datetime
    at: datetime
    position: int
    events: list[ProvedEvent]
    checkpoints: Mapping[str, Note]
    growth: Mapping[str, list[bytes]]
    completeness: Completeness | None
    state: Json | None
    policy: Json
    log_keys: list[NoteVerifier]
    witness_keys: list[NoteVerifier]

    def zipped(self) -> bytes:
        """Make the zip; the same evidence gives the same bytes."""
        contents = self._contents()
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        contents = {"evidence.json": _json(self._index(digests)), **contents}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(zipfile.ZipInfo(name, _MOMENT), content, zipfile.ZIP_DEFLATED)
        return packed.getvalue()

    def _index(self, digests: Mapping[str, str]) -> Json:
        return {
            "format": FORMAT,
            "origin": self.origin,
            "stream": self.stream,
            "case": self.case,
            "asked_by": self.asked_by,
            "made_at": self.made_at,
            "at": self.at,
            "as_of_position": self.position,
            "events": [
                {
                    "position": event.answer.position,
                    "version": event.answer.version,
                    "topic": event.answer.type,
                    "recorded_at": orjson.loads(event.entry)["recorded_at"],
                }
                for event in self.events
            ],
            "manifest_row": self.completeness.row.row if self.completeness else None,
            "files": digests,
        }

    def _contents(self) -> dict[str, bytes]:
        contents = {
            "README.txt": _resource("api", "templates/evidence.txt"),
            "summary.html": self._summary(),
            VERIFIER: _resource("tools", VERIFIER),
            "policy.json": _json(self.policy),
            "keys/log.txt": _lines(self.log_keys),
            "keys/witnesses.txt": _lines(self.witness_keys),
            "opened/history.json": _json([event.answer.model_dump() for event in self.events]),
        }
        if self.state is not None:
            contents["opened/state.json"] = _json(self.state)
        for name, note in self.checkpoints.items():
            contents[f"checkpoints/{name}.txt"] = str(note).encode()
        for name, path in self.growth.items():
            contents[f"consistency/{name}.txt"] = _hashes(path)
        for event in self.events:
            position = event.answer.position
            contents[f"entries/{position}.json"] = event.entry
            contents[f"states/{position}.bin"] = event.state
            contents[f"proofs/{position}.tlog-proof"] = str(event.proof).encode()
        if complete := self.completeness:
            row, manifest = complete.row, complete.row.manifest
            stated = row_entry(self.stream, row.version, complete.last_leaf)
            contents["manifest/row.json"] = stated
            contents["manifest/row-path.txt"] = _hashes(row.path)
            contents["manifest/entry.json"] = manifest.entry
            contents["manifest/entry.tlog-proof"] = str(complete.entry_proof).encode()
            contents["manifest/consistency.txt"] = _hashes(complete.consistency)
        return contents

    def _summary(self) -> bytes:
        return _templates.get_template("evidence.html").render(evidence=self).encode()


def _hashes(path: Iterable[bytes]) -> bytes:
    return b"".join(b64encode(each) + b"\n" for each in path)


def _lines(keys: Iterable[NoteVerifier]) -> bytes:
    return "".join(f"{key}\n" for key in keys).encode()


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=dict)


def _resource(package: str, name: str) -> bytes:
    return files(package).joinpath(name).read_bytes()
