#!/usr/bin/env python3
"""Checks the evidence of one permit or application, with no network and no software of the service.

    python3 verify_evidence.py evidence.zip --keys keys.txt

It needs Python 3.11 or newer and the package ``cryptography``, for Ed25519 signatures; all else is
below, to be read. ``keys.txt`` holds verifier keys, a line each, that you have from somewhere else
than this evidence: what the service showed at /tlog/keys at an earlier time, a printed copy.
Without it the keys inside the evidence are used, and what is shown then is only that it agrees with
itself.

What is checked, in this order:

 1. every file is the one that evidence.json lists (SHA-256);
 2. the tree heads ("checkpoints") are signed by the log, and by witnesses where there are any;
 3. each event's stored bytes hash to what its log entry says, and the entry is in the log's Merkle
    tree under the newest checkpoint (RFC 6962: a leaf is SHA-256(00 || entry), a node is
    SHA-256(01 || left || right));
 4. each entry names the entry before it of the same file, so that none is left out between them;
 5. the tree of each checkpoint begins with that of the one before: history was only added to;
 6. the manifest, which the log signs now and then, says which event is the last: so these
    are all there are, up to that point.

Personal details are sealed in the stored bytes, and the log has only their hash. What the folder
"opened" shows of them is the service's own statement.

Exit code: 0 if everything holds, 1 if something does not, 2 if this is no evidence, 141 if whatever
reads the output has gone before its end. A character that the terminal lacks is shown as "?".
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import json
import os
import sys
import zipfile
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FILES_MAX, BYTES_MAX = 50_000, 256 * 1024 * 1024
COSIGNATURE = 4  # kind of key: a witness's, which signs a time as well
KEY_BYTES = 1 + 32  # its kind, and an Ed25519 public key


class NotProved(Exception):
    """Something does not hold; the message says what."""


# -- Merkle trees (RFC 6962 §2.1; RFC 9162 §2.1.3.2 and §2.1.4.2) ---------------------------------


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, path: list[bytes]) -> None:
    """That ``leaf`` is number ``index`` (from 0) of the tree with ``size`` leaves and this root."""
    if not 0 <= index < size:
        raise NotProved(f"a tree of {size} leaves has no leaf {index}")
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise NotProved("an inclusion proof is too long")
        if at % 2 == 1 or at == last:
            found = node_hash(sibling, found)
            while at % 2 == 0 and at != 0:
                at, last = at // 2, last // 2
        else:
            found = node_hash(found, sibling)
        at, last = at // 2, last // 2
    if last != 0 or found != root:
        raise NotProved(
            f"entry {index + 1} is not what the signed tree of {size} entries has there"
        )


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: list[bytes]
) -> None:
    """That the tree with ``new`` leaves begins with the tree of ``old`` leaves."""
    what = f"the signed tree of {new} entries does not begin with that of {old}"
    if old > new or (old in (0, new) and path):
        raise NotProved(what)
    if old == new and old_root != new_root:
        raise NotProved(f"there are two signed trees of {new} entries")
    if old in (0, new):
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        raise NotProved(what)
    at, last = old - 1, new - 1
    while at % 2 == 1:
        at, last = at // 2, last // 2
    old_found = new_found = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise NotProved(what)
        if at % 2 == 1 or at == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while at % 2 == 0 and at != 0:
                at, last = at // 2, last // 2
        else:
            new_found = node_hash(new_found, sibling)
        at, last = at // 2, last // 2
    if last != 0 or (old_found, new_found) != (old_root, new_root):
        raise NotProved(what)


# -- signed notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof) ----------------


def parse_key(line: str) -> tuple[str, bytes, int, bytes]:
    """Name, id, kind and public key of a verifier key ``name+id+base64``."""
    name, key_id, encoded = line.strip().split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if expected.hex() != key_id or len(key) != KEY_BYTES:
        raise ValueError(f"the verifier key of {name} is damaged")
    return name, expected, key[0], key[1:]


def signers(note: str, keys: list[str]) -> set[str]:
    """Names of the keys that have signed. A known key whose signature is false proves a forgery."""
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    known = {(name, key_id): (kind, public) for name, key_id, kind, public in map(parse_key, keys)}
    found = set()
    for line in lines.splitlines():
        dash, name, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        kind, public = known.get((name, signature[:4]), (0, b""))
        if dash != "—" or not public:
            continue
        value, message = signature[4:], text.encode()
        if kind == COSIGNATURE:
            seconds, value = int.from_bytes(value[:8], "big"), value[8:]
            message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(value, message)
        except InvalidSignature:
            raise NotProved(f"a signature of {name} is false") from None
        found.add(name)
    return found


def tree_head(note: str) -> tuple[str, int, bytes]:
    """Origin, size and root that a checkpoint states."""
    origin, size, root = note.split("\n")[:3]
    return origin, int(size), base64.b64decode(root, validate=True)


def hashes(text: str) -> list[bytes]:
    return [base64.b64decode(line, validate=True) for line in text.split()]


def parse_proof(text: str) -> tuple[int, list[bytes], str]:
    """Index, path and checkpoint of a ``c2sp.org/tlog-proof@v1``."""
    head, _, note = text.partition("\n\n")
    header, index, *path = head.split("\n")
    if header != "c2sp.org/tlog-proof@v1" or not index.startswith("index "):
        raise ValueError("a proof has another format")
    return int(index.removeprefix("index ")), hashes("\n".join(path)), note


# -- the evidence ----------------------------------------------------------------------------------


class Evidence:
    """The files of the zip, and the keys to trust."""

    def __init__(self, path: str, trusted: list[str]) -> None:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
            if len(listed) > FILES_MAX or sum(each.file_size for each in listed) > BYTES_MAX:
                raise ValueError("it is larger than evidence of one file can be")
            self.files = {each.filename: archive.read(each) for each in listed}
        self.said: dict[str, Any] = json.loads(self.files["evidence.json"])
        if self.said["format"] != "permit-ledger-evidence/1":
            raise ValueError("it is evidence in another format")
        self.is_self_made = not trusted
        self.keys = trusted or self.text("keys/log.txt").split()
        self.witnesses = [key for key in trusted if parse_key(key)[2] == COSIGNATURE]
        self.other_witnesses = self.text("keys/witnesses.txt").split()

    def text(self, name: str) -> str:
        return self.files[name].decode()

    def checkpoint(self, name: str, origin: str) -> tuple[int, bytes]:
        """Size and root of a checkpoint that the log has signed."""
        return self.head_of(self.text(name), origin)

    def head_of(self, note: str, origin: str) -> tuple[int, bytes]:
        stated, size, root = tree_head(note)
        if stated != origin:
            raise NotProved(f"a checkpoint is of the log {stated}, not {origin}")
        keys = [key for key in self.keys if key.startswith(origin + "+")]
        if not keys:
            raise NotProved(f"of the log {origin} no key is known: add it to the keys you trust")
        if origin not in signers(note, keys):
            raise NotProved(f"the log {origin} has not signed its checkpoint of {size} entries")
        return size, root

    # The six steps, as above. Each returns a sentence that says what was found.

    def check_files(self) -> str:
        stated = self.said["files"]
        if stated.keys() != self.files.keys() - {"evidence.json"}:
            raise NotProved("files are missing, or there are others than were listed")
        for name, digest in stated.items():
            if hashlib.sha256(self.files[name]).hexdigest() != digest:
                raise NotProved(f"{name} is not the file that was listed")
        return f"{len(stated)} files are as listed"

    def check_signatures(self) -> str:
        found, others = set[str](), set[str]()
        origin = self.said["origin"]
        for name in ("before", "after", "newest"):
            if f"checkpoints/{name}.txt" in self.files:
                note = self.text(f"checkpoints/{name}.txt")
                self.head_of(note, origin)
                found |= signers(note, self.witnesses)
                others |= signers(note, self.other_witnesses)
        seen = f"; cosigned by {', '.join(sorted(found))}" if found else ""
        if others - found:
            seen += f"; by keys in the evidence also by {', '.join(sorted(others - found))}"
        return f"the log {origin} has signed its checkpoints{seen or '; no witness has cosigned'}"

    def check_events(self) -> str:
        newest = self.text("checkpoints/newest.txt")
        size, root = self.head_of(newest, self.said["origin"])
        for event in self.said["events"]:
            position, entry = event["position"], self.entry(event)
            stated = json.loads(entry)
            state = self.files[f"states/{position}.bin"]
            if hashlib.sha256(state).hexdigest() != stated["state"]:
                raise NotProved(f"the stored bytes of position {position} are not those in the log")
            for name in ("position", "version", "topic", "recorded_at"):
                if stated[name] != event[name]:
                    raise NotProved(f"position {position}: {name} is not what the log has")
            if stated["stream"] != self.said["stream"]:
                raise NotProved(f"position {position} is of another file")
            index, path, note = parse_proof(self.text(f"proofs/{position}.tlog-proof"))
            if index != position - 1 or note != newest:
                raise NotProved(f"the proof of position {position} is of another place or tree")
            check_inclusion(leaf_hash(entry), index, size, root, path)
        return f"{len(self.said['events'])} events are in the signed tree of {size} entries"

    def check_chain(self) -> str:
        before, position = None, 0
        for number, event in enumerate(self.said["events"], start=1):
            stated = json.loads(self.entry(event))
            previous = before.hex() if before else None
            if event["version"] != number or stated["previous"] != previous:
                raise NotProved(f"version {number} does not follow the one before it")
            if event["position"] <= position:
                raise NotProved(f"version {number} stands before its predecessor")
            before, position = leaf_hash(self.entry(event)), event["position"]
        return "each event names the one before it: none is left out between them"

    def check_growth(self) -> str:
        origin, sizes = self.said["origin"], []
        names = [n for n in ("before", "after", "newest") if f"checkpoints/{n}.txt" in self.files]
        heads = [self.checkpoint(f"checkpoints/{name}.txt", origin) for name in names]
        for old, new in itertools.pairwise(names):
            path = hashes(self.text(f"consistency/{old}-{new}.txt"))
            check_consistency(*heads[names.index(old)], *heads[names.index(new)], path)
            sizes.append(f"{heads[names.index(old)][0]} → {heads[names.index(new)][0]}")
        return f"history was only added to: {', '.join(sizes) or 'one checkpoint'}"

    def check_completeness(self) -> str:
        if "manifest/row.json" not in self.files:
            raise NotProved("no manifest has it yet: that these are all events is not shown")
        row, entry = json.loads(self.files["manifest/row.json"]), self.files["manifest/entry.json"]
        manifest = json.loads(entry)
        index, path, note = parse_proof(self.text("manifest/entry.tlog-proof"))
        size, root = self.head_of(note, self.said["origin"] + "/manifests")
        check_inclusion(leaf_hash(entry), index, size, root, path)
        check_inclusion(
            leaf_hash(self.files["manifest/row.json"]),
            self.said["manifest_row"],
            manifest["permits"],
            bytes.fromhex(manifest["manifest_root"]),
            hashes(self.text("manifest/row-path.txt")),
        )
        newest = self.checkpoint("checkpoints/newest.txt", self.said["origin"])
        log_size, log_root = manifest["log_size"], bytes.fromhex(manifest["log_root"])
        path = hashes(self.text("manifest/consistency.txt"))
        check_consistency(log_size, log_root, *newest, path)
        until = [event for event in self.said["events"] if event["position"] <= log_size]
        last = leaf_hash(self.entry(until[-1])).hex() if until else None
        if row != {
            "last_leaf": last,
            "last_version": len(until),
            "stream": self.said["stream"],
        }:
            raise NotProved("the manifest knows another last event")
        later = len(self.said["events"]) - len(until)
        more = f"; {later} came later, after which there may be others" if later else ""
        return f"up to position {log_size} these are all events{more}"

    def entry(self, event: dict[str, Any]) -> bytes:
        return self.files[f"entries/{event['position']}.json"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the evidence of one permit or application.")
    parser.add_argument("file", help="the zip")
    parser.add_argument("--keys", help="a file with the verifier keys that you trust")
    parser.add_argument("--key", action="append", default=[], help="one such key")
    arguments = parser.parse_args()
    try:
        trusted = arguments.key
        if arguments.keys:
            with open(arguments.keys, encoding="utf-8") as lines:
                trusted += lines.read().split()
        evidence = Evidence(arguments.file, trusted)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        print(f"this is no evidence that can be checked: {error}")
        return 2
    print(f"file {evidence.said['stream']}, log {evidence.said['origin']}")
    failed = 0
    for number, step in enumerate(
        (
            evidence.check_files,
            evidence.check_signatures,
            evidence.check_events,
            evidence.check_chain,
            evidence.check_growth,
            evidence.check_completeness,
        ),
        start=1,
    ):
        try:
            print(f"  {number}. holds   {step()}")
        except NotProved as error:
            print(f"  {number}. FAILS   {error}")
            failed += 1
        except (ValueError, KeyError, TypeError, IndexError) as error:
            print(f"  {number}. FAILS   damaged: {type(error).__name__} {error}")
            failed += 1
    for event in evidence.said["events"]:
        print(f"     {event['position']:>10}  {event['recorded_at']}  {event['topic']}")
    if evidence.is_self_made:
        print("The keys came with the evidence: compare them with some that you trust (--keys).")
    print("EVERYTHING HOLDS · 全部成立" if not failed else "NOT PROVED · 未能证明")
    return 1 if failed else 0


def main_for_any_terminal() -> int:
    """Whatever its encoding is; without a reader there is no verdict, and the code is not 0."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # the interpreter's own
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main_for_any_terminal())
