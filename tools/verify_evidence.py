#!/usr/bin/env python3
"""Checks the evidence of one permit or application, with no network and no software of the service.

    python3 verify_evidence.py evidence.zip --keys keys.txt --jwks jwks.json --summary summary.html

It needs Python 3.11 or newer and the package ``cryptography``, for signatures; all else is below,
to be read. Take this program from a source that you trust, not from the evidence: a forged zip may
bring a forged verifier.

Both files of keys must come from somewhere else than the evidence: ``keys.txt`` holds the log's
verifier keys, as the service shows them at /tlog/keys; ``jwks.json`` the keys of the service's own
signatures, as it shows them at /.well-known/jwks.json. Where one of them is missing, the keys
inside the evidence take its place. What is shown then is only that the evidence agrees with itself,
which a forger can bring about too, so the result is never that it holds.

What is checked, in this order:

 1. evidence.json lists every file with its SHA-256, and is signed by the service (evidence.jws); no
    file is missing, added or changed;
 2. the tree heads ("checkpoints") are signed by the log, and by witnesses where there are any;
 3. each event's stored bytes hash to what its details say, these to what its log entry says, and
    the entry is in the log's Merkle tree under the newest checkpoint (RFC 6962: a leaf is
    SHA-256(00 || entry), a node is SHA-256(01 || left || right));
 4. the details of each name the entry before it of the same file, so that none is left out between
    them;
 5. the tree of each checkpoint begins with that of the one before: history was only added to;
 6. the manifest, which the log signs now and then, has a map that says which event is the last: so
    these are all there are, up to that point, or there is none at all. The map is a tree too: a key
    is the SHA-256 of the file's name, and its bits lead to its leaf, which is SHA-256(00 || key ||
    SHA-256(row)); or to nothing, or another leaf, where there are no events;
 7. what is shown of the events in "opened" agrees with their stored bytes, as far as these are in
    the clear; and each field in "disclosures" is one that was sealed there: its line is
    ["salt","name",value], whose SHA-256 is among the digests in the stored bytes.

Personal details are sealed in the stored bytes, beside digests by which single fields can be
opened: those in "disclosures" are proved. Details of events from before there were digests, the
changes that are worked out from the events, the state at an instant and the policy are the
service's own statement: only its signature of step 1 stands for them. The summary, which this
program writes from what it has verified, marks them.

Exit code: 0 if everything holds; 1 if something does not; 2 if this is no evidence, or a zip that
is not safe to read; 3 if nothing is wrong but trusted keys are missing; 141 if whatever reads the
output has gone before its end. A character that the terminal lacks is shown as "?".
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import json
import os
import re
import stat
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from html import escape
from typing import Any, BinaryIO, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

FORMATS = ("permit-ledger-evidence/2", "permit-ledger-evidence/3")
LISTED, SIGNED = "evidence.json", "evidence.jws"
SIGNATURE_TYPE = "permit-evidence+jwt"

FILES_MAX, NAME_LENGTH_MAX = 500_000, 100  # of a hundred thousand events, and then some
ZIP_BYTES_MAX, FILE_BYTES_MAX, BYTES_MAX = 512 << 20, 512 << 20, 1 << 30
LISTED_BYTES_MAX, UNSIGNED_BYTES_MAX = 64 << 20, 8 << 20
"""Of the list, which is only taken apart where a key that is trusted has signed its bytes; without
such a signature, if it is small."""
SMALL_BYTES_MAX = 1 << 20
BYTES_MAX_IN = {"opened": FILE_BYTES_MAX, "states": 16 << 20}
"""Of a file that is read as a whole, by its folder; elsewhere it is small."""
DIRECTORY_BYTES_MAX = FILES_MAX * (46 + NAME_LENGTH_MAX)
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
"""No part of a name begins with a dot, so none leads out of the folder."""

COSIGNATURE = 4  # kind of key: a witness's, which signs a time as well
KEY_BYTES = 1 + 32  # its kind, and an Ed25519 public key
HALF_BYTES = 32  # of the two numbers of an ES256 signature (RFC 7518 §3.4)
PART_BYTES = 1 << 20  # of a file, in memory at a time
NAMES_MAX = 5  # of files at fault, in one message

DAMAGED = (
    *(ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError),
    *(EOFError, struct.error, zlib.error),
)


class Unsafe(ValueError):
    """The zip is not one that evidence is packed in; the message says why."""


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


def check_map(
    stream: str,
    row: bytes | None,
    beside: dict[str, str] | None,
    manifest: dict[str, Any],
    path: list[bytes],
) -> None:
    """That the manifest's map has this row under the name of the stream, or with ``None`` that it
    has none: its place is empty, or another leaf is ``beside``. ``path`` leads from the root."""
    key = hashlib.sha256(stream.encode()).digest()
    if len(path) > 8 * len(key):
        raise NotProved("the path in the map is too long")
    if row is not None:
        found = hashlib.sha256(b"\x00" + key + hashlib.sha256(row).digest()).digest()
    elif beside is None:
        found = bytes(32)
    else:
        other, value = bytes.fromhex(beside["key"]), bytes.fromhex(beside["value"])
        differs = int.from_bytes(key) ^ int.from_bytes(other)
        if len(other) != len(key) or not 0 < differs.bit_length() <= 8 * len(key) - len(path):
            raise NotProved("the leaf that is shown does not stand in this file's place")
        found = hashlib.sha256(b"\x00" + other + value).digest()
    for depth in reversed(range(len(path))):
        is_right = key[depth // 8] >> (7 - depth % 8) & 1
        found = node_hash(path[depth], found) if is_right else node_hash(found, path[depth])
    if found != bytes.fromhex(manifest["map_root"]):
        raise NotProved("the manifest's map has another row")


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


# -- the zip (PKWARE's APPNOTE, and of it only what evidence needs) --------------------------------

FILE, FILE_MARK = struct.Struct("<4s5H3L2H"), b"PK\3\4"
AFTER, AFTER_MARK = struct.Struct("<4s3L"), b"PK\7\x08"
LISTING, LISTING_MARK = struct.Struct("<4s6H3L5H2L"), b"PK\1\2"
END, END_MARK = struct.Struct("<4s4HLLH"), b"PK\5\6"
END64, END64_MARK = struct.Struct("<4sQ2H2L4Q"), b"PK\6\6"
LOCATOR, LOCATOR_MARK = struct.Struct("<4sLQL"), b"PK\6\7"
STORED, DEFLATED = 0, 8  # methods
STREAMED, FLAGS = 8, 8 | 6 | 0x800  # a record follows the file; how hard it was packed; UTF-8


class Place(NamedTuple):
    """Where a file is in the zip, from ``at`` to before ``end``, and what it is unpacked."""

    at: int
    end: int
    method: int
    size: int
    checksum: int


class Files(Mapping[str, bytes]):
    """The files of a zip, by their names. Each is read when it is asked for, and none is written to
    disk.

    The zip has these files one after the other, its directory, and nothing else: each byte belongs
    to one of them, and whatever is stated twice is stated alike. So programs that read zips in
    other ways (from the front, by counts, past a second directory) find the same files.
    """

    def __init__(self, packed: BinaryIO) -> None:
        """
        Raises:
            Unsafe: names that lead out of a folder or differ in case only, links, encryption, too
                many bytes, or bytes that belong to no file.
        """
        self._packed = packed
        self._places: dict[str, Place] = {}
        count, length, directory_at = _directory(packed)
        packed.seek(directory_at)
        directory = packed.read(length)
        taken, at, listed_at, whole = set[str](), 0, 0, 0
        for _ in range(count):
            listed = directory[listed_at : listed_at + LISTING.size]
            name_length = int.from_bytes(listed[28:30], "little")
            listed_at += LISTING.size + name_length
            name = directory[listed_at - name_length : listed_at].decode("ascii", "replace")
            _require_safe(name, listed)
            if name.lower() in taken:
                raise Unsafe(f"{name} is in it twice")
            taken.add(name.lower())
            place = _place(packed, name, listed, at)
            at, whole = place.end, whole + place.size
            if listed[8] & STREAMED:
                at += AFTER.size
            self._places[name] = place
            if whole > BYTES_MAX:
                raise Unsafe("it is larger than evidence of one file can be")
        if at != directory_at or listed_at != length:
            raise Unsafe("before its directory, or in it, are bytes that belong to no file")

    def __getitem__(self, name: str) -> bytes:
        """
        Raises:
            Unsafe: larger than a file of its kind, or not packed as the zip states.
        """
        if self._places[name].size > bytes_max(name):
            raise Unsafe(f"{name} is larger than a file of its kind can be")
        return b"".join(self._unpacked(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def digest(self, name: str) -> str:
        """SHA-256 of a file, in hex; empty if it can't be unpacked."""
        digest = hashlib.sha256()
        try:
            for part in self._unpacked(name):
                digest.update(part)
        except DAMAGED:
            return ""
        return digest.hexdigest()

    def _unpacked(self, name: str) -> Iterator[bytes]:
        """Part by part; the packed bytes end where the file does, so that none hide behind it."""
        place = self._places[name]
        size, checksum, inflater = 0, 0, zlib.decompressobj(-zlib.MAX_WBITS)
        for packed in self._packed_parts(place):
            if inflater.eof:
                raise Unsafe(f"{name} is followed by bytes that belong to no file")
            rest = packed
            while rest:
                part = inflater.decompress(rest, PART_BYTES) if place.method == DEFLATED else rest
                rest = inflater.unconsumed_tail
                size, checksum = size + len(part), zlib.crc32(part, checksum)
                if size > place.size:
                    raise Unsafe(f"{name} is larger than the zip states")
                yield part
            if inflater.unused_data:
                raise Unsafe(f"{name} is followed by bytes that belong to no file")
        part = inflater.flush()  # the end of what the last bytes repeat
        if (size + len(part), zlib.crc32(part, checksum)) != (place.size, place.checksum):
            raise Unsafe(f"{name} is not what the zip states")
        if place.method == DEFLATED and not inflater.eof:
            raise Unsafe(f"{name} is cut off")
        yield part

    def _packed_parts(self, place: Place) -> Iterator[bytes]:
        for at in range(place.at, place.end, PART_BYTES):
            self._packed.seek(at)
            yield self._packed.read(min(PART_BYTES, place.end - at))


def bytes_max(name: str) -> int:
    """How many bytes of a file are read at once, at most."""
    folder = name.partition("/")[0]
    return LISTED_BYTES_MAX if name == LISTED else BYTES_MAX_IN.get(folder, SMALL_BYTES_MAX)


def _directory(packed: BinaryIO) -> tuple[int, int, int]:
    """How many files the directory lists, its length, and where it begins. The record of 22 bytes
    that says so is the zip's very end; where there are more than 65,535 files, a larger record
    (ZIP64) and its place stand before it."""
    size = packed.seek(0, os.SEEK_END)
    if size > ZIP_BYTES_MAX:
        raise Unsafe("it is larger than evidence of one file can be")
    large = END64.size + LOCATOR.size + END.size
    packed.seek(max(size - large, 0))
    last = packed.read(large)
    mark, *stated, comment = END.unpack(last[-END.size :])
    disks, counts, length, at = stated[:2], stated[2:4], stated[4], stated[5]
    end = size - END.size
    locator = last[-END.size - LOCATOR.size : -END.size]
    if locator[:4] == LOCATOR_MARK:
        end = size - large
        mark64, rest, _, _, *disks64, count64, count64_too, length64, at64 = END64.unpack(
            last[: END64.size]
        )
        stated64 = [*disks64, count64, count64_too, length64, at64]
        widths = [0xFFFF] * 4 + [0xFFFFFFFF] * 2
        if (
            (mark64, rest) != (END64_MARK, END64.size - 12)
            or LOCATOR.unpack(locator) != (LOCATOR_MARK, 0, end, 1)
            or any(
                one not in {all_ones, other}
                for one, all_ones, other in zip(stated, widths, stated64, strict=True)
            )
        ):
            raise Unsafe("it has two directories")
        disks, counts, length, at = disks64, [count64, count64_too], length64, at64
    if mark != END_MARK or comment or at + length != end or disks != [0, 0]:
        raise Unsafe("a zip without anything before or after it is expected")
    if counts[0] != counts[1] or counts[0] > FILES_MAX or length > DIRECTORY_BYTES_MAX:
        raise Unsafe("its directory is larger than that of evidence can be")
    return counts[0], length, at


def _require_safe(name: str, listed: bytes) -> None:
    """
    Raises:
        Unsafe, struct.error
    """
    mark, _, _, flags, method, _, _, _, _, size, _, extra, comment, disk, _, attributes, _ = (
        LISTING.unpack(listed)
    )
    kind = stat.S_IFMT(attributes >> 16)
    if mark != LISTING_MARK or disk:
        raise Unsafe("its directory is not one of evidence")
    if not NAME.fullmatch(name) or len(name) > NAME_LENGTH_MAX:
        raise Unsafe(f"{name[:NAME_LENGTH_MAX]!r} is not a safe name of a file")
    if kind not in {0, stat.S_IFREG}:
        raise Unsafe(f"{name} is a link or something else that is no file")
    if flags & ~FLAGS or method not in {STORED, DEFLATED} or (flags & STREAMED and not method):
        raise Unsafe(f"{name} is encrypted, or packed in an unusual way")
    if extra or comment:
        raise Unsafe(f"{name} has more than its name: a second one could stand there")
    if size > (LISTED_BYTES_MAX if name == LISTED else FILE_BYTES_MAX):
        raise Unsafe(f"{name} is larger than a file of evidence can be")


def _place(packed: BinaryIO, name: str, listed: bytes, at: int) -> Place:
    """Where a file is that has to begin at ``at``; before and after it stands what is listed.

    Raises:
        Unsafe, struct.error
    """
    _, _, needed, flags, method, hour, day, checksum, packed_size, size, *_, begins = (
        LISTING.unpack(listed)
    )
    if begins != at:
        raise Unsafe(f"before {name} are bytes that belong to no file")
    packed.seek(at)
    before = FILE.unpack(packed.read(FILE.size))
    facts = (0, 0, 0) if flags & STREAMED else (checksum, packed_size, size)
    expected = (FILE_MARK, needed, flags, method, hour, day, *facts, len(name), 0)
    if before != expected or packed.read(len(name)) != name.encode():
        raise Unsafe(f"{name} is another file for those who read the zip from its front")
    start = at + FILE.size + len(name)
    place = Place(start, start + packed_size, method, size, checksum)
    if method == STORED and packed_size != size:
        raise Unsafe(f"{name} is packed in an unusual way")
    if flags & STREAMED:
        packed.seek(place.end)
        after = AFTER.unpack(packed.read(AFTER.size))
        if after != (AFTER_MARK, checksum, packed_size, size):
            raise Unsafe(f"{name} is another file for those who read the zip from its front")
    return place


# -- the service's signature (RFC 7515, ES256) -----------------------------------------------------


def key_set(text: str) -> dict[str, ec.EllipticCurvePublicKey]:
    """The keys of a JWKS (RFC 7517) that sign with ES256, by their ids."""
    found = {}
    for key in json_of(text)["keys"]:
        if (key["kty"], key.get("crv")) == ("EC", "P-256"):
            x, y = (int.from_bytes(unencoded(key[part])) for part in ("x", "y"))
            numbers = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())
            found[str(key["kid"])] = numbers.public_key()
    return found


def unencoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def json_of(text: str | bytes) -> Any:
    """A JSON document in which no member is repeated: readers differ in which one they take."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a member of a JSON object is there twice")
        return found

    return json.loads(text, object_pairs_hook=members)


def claims_of(jws: str, keys: dict[str, ec.EllipticCurvePublicKey]) -> dict[str, Any]:
    """What the service states under its signature."""
    head, payload, signature = jws.split(".")
    header = json_of(unencoded(head))
    if (header["alg"], header["typ"], "crit" in header) != ("ES256", SIGNATURE_TYPE, False):
        raise NotProved("the list of files has a signature of another kind")
    if header["kid"] not in keys:
        raise NotProved(
            f"the list of files is signed with the key {header['kid']}, which is not one of those"
            " that you trust; if the service has changed its key since, get its keys again"
        )
    value = unencoded(signature)
    r, s = int.from_bytes(value[:HALF_BYTES]), int.from_bytes(value[HALF_BYTES:])
    signed = f"{head}.{payload}".encode()
    try:
        if len(value) != 2 * HALF_BYTES:
            raise InvalidSignature
        keys[header["kid"]].verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise NotProved("the signature of the list of files is false") from None
    claims: dict[str, Any] = json_of(unencoded(payload))
    return claims


# -- opened events against their stored bytes ------------------------------------------------------

STAMP = {"timestamp", "actor", "station", "policy_version", "correlation_id"}
MEMBER = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
"""What a member of a fact is called; with a dot it would look like a part of another."""
SALT = re.compile(r"[0-9a-f]{32}", re.ASCII)
NOT_SHOWN = STAMP | {"sealed", "originator_topic"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


Path = tuple[str | int, ...]


def parts(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The parts of a JSON value, each with the names and numbers that lead to it."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    if not inner:
        yield path, value
    for key, each in inner:
        yield from parts(each, (*path, key))


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def in_the_clear(stored: dict[str, Any]) -> dict[Path, Any]:
    """The facts of an event that its stored bytes show."""
    facts = {key: each for key, each in stored.items() if key not in NOT_SHOWN}
    return {path: value for path, value in parts(facts) if path and value != {}}


def is_same(stored: Any, shown: Any) -> bool:
    """Whether two values are equal; instants may be written with another offset."""
    if type(stored) is not type(shown):
        return False
    if not (isinstance(stored, str) and INSTANT.fullmatch(stored) and INSTANT.fullmatch(shown)):
        return bool(stored == shown)
    try:
        return datetime.fromisoformat(stored) == datetime.fromisoformat(shown)
    except ValueError:
        return False


# -- the evidence ----------------------------------------------------------------------------------


class Evidence:
    """The files of the zip, and the keys to trust."""

    def __init__(self, path: str, log_keys: list[str], jwks: str | None) -> None:
        self.files = Files(open(path, "rb"))  # noqa: SIM115  open until the process ends
        self.missing = []
        if not log_keys:
            self.missing.append("--keys: the log's verifier keys, as shown at /tlog/keys")
        if jwks is None:
            self.missing.append("--jwks: the service's keys, as shown at /.well-known/jwks.json")
        self.trusts_log, self.trusts_service = bool(log_keys), jwks is not None
        self.service_keys = key_set(self.text("keys/service.json") if jwks is None else jwks)
        self.is_signed = False
        self.said: dict[str, Any] = self._list()
        if self.said["format"] not in FORMATS:
            raise ValueError(f"it is evidence in another format than {' or '.join(FORMATS)}")
        self.keys = log_keys or self.text("keys/log.txt").split()
        self.witnesses = [key for key in log_keys if parse_key(key)[2] == COSIGNATURE]
        self.other_witnesses = self.text("keys/witnesses.txt").split()

    def _list(self) -> Any:
        """Take the list of files apart: any one if its bytes are signed with a trusted key."""
        try:
            self.signature()
            is_trusted = self.trusts_service
        except (NotProved, *DAMAGED):  # of which the first step speaks
            is_trusted = False
        if not is_trusted and len(self.files[LISTED]) > UNSIGNED_BYTES_MAX:
            raise Unsafe(f"{LISTED} is not signed with a key that you trust, and too large to read")
        return json_of(self.files[LISTED])

    def signature(self) -> dict[str, Any]:
        """What the service states of the list of files, whose bytes it has signed.

        Raises:
            NotProved
        """
        claims = claims_of(self.text(SIGNED).strip(), self.service_keys)
        if claims["evidence_sha256"] != self.files.digest(LISTED):
            raise NotProved(f"{LISTED} is not the list that the service signed")
        return claims

    def text(self, name: str) -> str:
        return self.files[name].decode()

    def json(self, name: str) -> Any:
        return json_of(self.files[name])

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

    # The seven steps, as above. Each returns a sentence that says what was found.

    def check_files(self) -> str:
        claims = self.signature()
        if (claims["origin"], claims["stream"]) != (self.said["origin"], self.said["stream"]):
            raise NotProved(f"{LISTED} is of another log or file than the signature")
        listed, there = self.said["files"], self.files.keys() - {LISTED, SIGNED}
        changed = {
            name for name in listed.keys() & there if self.files.digest(name) != listed[name]
        }
        faults = [
            (listed.keys() - there, "missing"),
            (there - listed.keys(), "not on the signed list"),
            (changed, "not the file that was signed"),
        ]
        if found := "; ".join(f"{_some(names)}: {what}" for names, what in faults if names):
            raise NotProved(found)
        self.is_signed = True
        return f"{len(listed)} files are as {claims['iss']} has signed them"

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
            position, entry, stated = event["position"], self.entry(event), self.details(event)
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
            stated = self.details(event)
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
        if "manifest/entry.json" not in self.files:
            raise NotProved("no manifest has it yet: that these are all events is not shown")
        entry, events = self.files["manifest/entry.json"], self.said["events"]
        manifest, row = json_of(entry), self.files["manifest/row.json"] if events else None
        index, path, note = parse_proof(self.text("manifest/entry.tlog-proof"))
        size, root = self.head_of(note, self.said["origin"] + "/manifests")
        check_inclusion(leaf_hash(entry), index, size, root, path)
        path = hashes(self.text("manifest/row-path.txt"))
        if "map_root" in manifest:
            name = "manifest/beside.json"
            beside = self.json(name) if name in self.files and not events else None
            check_map(self.said["stream"], row, beside, manifest, path)
        elif row is None:
            raise NotProved("a manifest of a tree over all permits proves no absence")
        else:  # as manifests were before: a tree over all permits
            root, place = bytes.fromhex(manifest["manifest_root"]), self.said["manifest_row"]
            check_inclusion(leaf_hash(row), place, manifest["permits"], root, path)
        newest = self.checkpoint("checkpoints/newest.txt", self.said["origin"])
        log_size, log_root = manifest["log_size"], bytes.fromhex(manifest["log_root"])
        path = hashes(self.text("manifest/consistency.txt"))
        check_consistency(log_size, log_root, *newest, path)
        if row is None:
            later = newest[0] - log_size
            more = f"; of the {later} entries that came later nothing is shown" if later else ""
            return f"up to position {log_size} nothing is recorded under this name{more}"
        until = [event for event in events if event["position"] <= log_size]
        last = leaf_hash(self.entry(until[-1])).hex() if until else None
        expected = {"last_leaf": last, "last_version": len(until)}
        if "map_root" in manifest:
            expected["salt"] = self.details(until[-1]).get("salt") if until else None
        else:
            expected["stream"] = self.said["stream"]
        if json_of(row) != expected:
            raise NotProved("the manifest knows another last event")
        later = len(events) - len(until)
        more = f"; {later} came later, after which there may be others" if later else ""
        return f"up to position {log_size} these are all events{more}"

    def check_opened(self) -> str:
        if not self.is_signed:
            raise NotProved("opened/history.json is not known to be signed: see the first step")
        opened, events = self.json("opened/history.json"), self.said["events"]
        if len(opened) != len(events):
            raise NotProved("opened/history.json has more or fewer events than the log")
        places = {f"disclosures/{event['position']}.txt" for event in events}
        if strange := {name for name in self.files if name.startswith("disclosures/")} - places:
            raise NotProved(f"{_some(strange)}: of no event that is listed")
        stated = clear = proved = 0
        for event, listed in zip(opened, events, strict=True):
            position, version = listed["position"], listed["version"]
            if (event["position"], event["version"]) != (position, version):
                raise NotProved("opened/history.json has events in another order than the log")
            stored = self.stored(position)
            wrong = [name for name in STAMP - {"timestamp"} if event[name] != _text(stored, name)]
            if event["type"] != listed["topic"]:
                wrong.append("type")
            if not is_same(stored.get("timestamp"), event["recorded_at"]):
                wrong.append("recorded_at")
            facts, plain = shown_facts(event), in_the_clear(stored) if event["readable"] else {}
            wrong += [
                dotted(path)
                for path, value in plain.items()
                if path not in facts or not is_same(value, facts[path])
            ]
            fields = {
                path: value
                for name, each in self.disclosed(position).items()
                for path, value in parts(each, tuple(name.split(".")))
            }
            wrong += [
                dotted(path)
                for path, value in fields.items()
                if facts.get(path) is not None and not is_same(value, facts[path])
            ]
            if wrong:
                raise NotProved(
                    f"of position {position}, opened/history.json shows other values than the"
                    f" stored bytes: {_some(set(wrong))}"
                )
            others = {path for path, value in facts.items() if value is not None}
            stated += len(others - plain.keys() - fields.keys())
            clear, proved = clear + len(plain), proved + len(self.disclosed(position))
        return (
            f"{clear} facts are those of the stored bytes, {proved} more were sealed there and are"
            f" opened; {stated} others are the service's own statement"
        )

    def disclosed(self, position: int) -> dict[str, Any]:
        """The fields of an event that are opened.

        Raises:
            NotProved
        """
        name = f"disclosures/{position}.txt"
        if name not in self.files:
            return {}
        return disclosed_fields(self.files[name], self.stored(position), f"position {position}")

    def stored(self, position: int) -> dict[str, Any]:
        """The members of an event's stored bytes; none if they are not readable at all."""
        try:
            members = json_of(self.files[f"states/{position}.bin"])
        except ValueError:
            return {}
        return members if isinstance(members, dict) else {}

    def entry(self, event: dict[str, Any]) -> bytes:
        return self.files[f"entries/{event['position']}.json"]

    def details(self, event: dict[str, Any]) -> dict[str, Any]:
        """What an entry is about: the details that it commits to, or the entry itself, where it is
        one from before there were commitments.

        Raises:
            NotProved
        """
        stated: dict[str, Any] = json_of(self.entry(event))
        if stated.keys() != {"commitment", "position"}:
            return stated
        details = self.files[f"details/{event['position']}.json"]
        found: dict[str, Any] = json_of(details)
        if hashlib.sha256(details).hexdigest() != stated["commitment"]:
            raise NotProved(f"the details of position {event['position']} are not those in the log")
        if found["position"] != stated["position"]:
            raise NotProved(f"the details of position {event['position']} are of another one")
        return found


def disclosed_fields(content: bytes, stored: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields that the lines of ``content`` open, by their dotted names; each was sealed in the
    stored bytes with these members.

    Raises:
        NotProved
    """
    sealed = stored.get("sealed")
    text = sealed.get("digests") if isinstance(sealed, dict) else None
    if not isinstance(text, str):
        raise NotProved(f"{where}: fields are opened of an event that has no digests of any")
    digests = base64.b64decode(text, validate=True)
    known = {digests[at : at + 32] for at in range(0, len(digests), 32)}
    *lines, rest = content.split(b"\n")
    found: dict[str, Any] = {}
    for line in lines:
        if hashlib.sha256(line).digest() not in known:
            raise NotProved(f"{where}: an opened field is not one that was sealed there")
        salt, name, value = json_of(line)
        if not SALT.fullmatch(salt) or not all(map(MEMBER.fullmatch, name.split("."))):
            raise NotProved(f"{where}: an opened field has no salt, or a name that is none")
        if not is_missing(stored, name):
            raise NotProved(f"{where}: {name} is opened, and is in the clear as well")
        if any(f"{each}.".startswith(f"{name}.") or name.startswith(f"{each}.") for each in found):
            raise NotProved(f"{where}: {name} is opened twice")
        found[name] = value
    if rest:
        raise NotProved(f"{where}: the last opened field has no line end")
    return found


def is_missing(stored: Any, name: str) -> bool:
    """Whether the stored bytes have nothing at the place of a field, and objects, if anything, on
    the way there."""
    for step in name.split("."):
        if not isinstance(stored, dict):
            return False
        if step not in stored:
            return True
        stored = stored[step]
    return False


def shown_facts(event: dict[str, Any]) -> dict[Path, Any]:
    """The facts of an opened event.

    Raises:
        NotProved: it can't be read and has some, or names that look like others.
    """
    facts = event["facts"]
    if facts is None or facts == {}:
        return {}
    if event["readable"] is not True or not isinstance(facts, dict):
        raise NotProved(f"position {event['position']} is not readable, and shows facts")
    found = dict(parts(facts))
    if any(isinstance(name, str) and not MEMBER.fullmatch(name) for path in found for name in path):
        raise NotProved(f"position {event['position']} shows facts under names that are none")
    return found


def _text(stored: dict[str, Any], name: str) -> str | None:
    value = stored.get(name)
    return value if isinstance(value, str) else None


def _some(names: set[str]) -> str:
    first = sorted(names)[:NAMES_MAX]
    more = f" and {len(names) - len(first)} more" if len(names) > len(first) else ""
    return ", ".join(first) + more


# -- the summary, of verified data -----------------------------------------------------------------

STYLE = """
  body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; color: #1b2430;
    margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
  h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
  section { border-left: 3px solid #2f6f73; break-inside: avoid; margin: 1rem 0;
    padding-left: 1rem; }
  table { border-collapse: collapse; width: 100%; }
  td, th { border-bottom: 1px solid #e3e8ee; overflow-wrap: anywhere; padding: .2rem .6rem .2rem 0;
    text-align: left; vertical-align: top; }
  td:last-child { width: 2rem; } small { color: #5a6778; }
"""
PROVED, STATED = "✓", "○"
MISSING = object()
HEADINGS = ("what · 项目", "value · 内容", "")


def summary(evidence: Evidence) -> str:
    """An HTML page of evidence that holds. Nothing in it can run or load anything."""
    said = evidence.said
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    page = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Evidence {_html(said['stream'])}</title>\n<style>{STYLE}</style>\n"
        f"<h1>Evidence of {_html(said['stream'])} <small>证据</small></h1>\n"
        "<p>Written by the verifier after every step held. · 由验证程序在全部检验成立后生成。<br>\n"
        f"{PROVED} proved by the log's signatures and the stored bytes · "
        "由日志签名及原始字节证明<br>\n"
        f"{STATED} the service's own statement, under its signature · 服务方签名的陈述</p>\n"
    ]
    asked = ("case", "asked_by", "made_at", "at", "as_of_position")
    page.append(_table([(name, said[name], STATED) for name in asked]))
    if "opened/state.json" in evidence.files:
        page.append("<h2>State at that instant · 当时状态</h2>\n")
        state = parts(evidence.json("opened/state.json"))
        page.append(_table([(dotted(path), value, STATED) for path, value in state]))
    page.append("<h2>What happened · 经过</h2>\n")
    for event in evidence.json("opened/history.json"):
        stored = evidence.stored(event["position"])
        clear = in_the_clear(stored)
        rows = [
            ("position", event["position"], PROVED),
            ("recorded_at", event["recorded_at"], PROVED),
        ]
        rows += [(name, event[name], PROVED) for name in sorted(STAMP - {"timestamp"})]
        rows.append(("true_from", event["true_from"], STATED))
        if not event["readable"]:
            rows.append(("unreadable · 无法读取", event["reason"], STATED))
        opened = evidence.disclosed(event["position"])
        rows += [(field, value, PROVED) for field, value in opened.items()]
        rows += [
            (dotted(path), value, PROVED if is_same(clear.get(path, MISSING), value) else STATED)
            for path, value in shown_facts(event).items()
            if not (dotted(path) in opened or (value is None and path not in clear))
        ]
        rows += [
            (f"{each['field']} ⟶", each["withheld"] or each["after"], STATED)
            for each in event["changes"] or []
        ]
        title = f"{_html(event['version'])}. {_html(event['type'])}"
        page.append(f"<section><strong>{title}</strong>\n{_table(rows)}</section>\n")
    return "".join([*page, "</html>\n"])


def _table(rows: list[tuple[str, Any, str]]) -> str:
    lines = "".join(
        f"<tr><td>{_html(name)}</td><td>{_html(value)}</td><td>{mark}</td></tr>\n"
        for name, value, mark in rows
    )
    heads = "".join(f"<th>{each}</th>" for each in HEADINGS)
    return f"<table>\n<tr>{heads}</tr>\n{lines}</table>\n"


def _html(value: Any) -> str:
    return escape(plain_text("–" if value is None else str(value)))


def plain_text(text: str) -> str:
    """Without characters that move the cursor, turn the direction of writing or are invisible."""
    return "".join(each if each.isprintable() else "?" for each in text)


# -- the command -----------------------------------------------------------------------------------


def say(line: str) -> None:
    print(plain_text(line))


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the evidence of one permit or application.")
    parser.add_argument("file", help="the zip")
    parser.add_argument("--keys", help="a file with the log's verifier keys that you trust")
    parser.add_argument("--key", action="append", default=[], help="one such key")
    parser.add_argument("--jwks", help="a file with the service's keys (JWKS) that you trust")
    parser.add_argument("--summary", help="write a page about what holds to this file (HTML)")
    arguments = parser.parse_args()
    try:
        log_keys = list(arguments.key)
        if arguments.keys:
            with open(arguments.keys, encoding="utf-8") as lines:
                log_keys += lines.read().split()
        jwks = None
        if arguments.jwks:
            with open(arguments.jwks, encoding="utf-8") as document:
                jwks = document.read()
        evidence = Evidence(arguments.file, log_keys, jwks)
        say(f"file {evidence.said['stream']}, log {evidence.said['origin']}")
    except (OSError, *DAMAGED) as error:
        say(f"this is no evidence that can be checked: {error or type(error).__name__}")
        return 2
    failed = sum(not held for held in outcomes(evidence))
    if not failed:
        for event in evidence.said["events"]:
            say(f"     {event['position']:>10}  {event['recorded_at']}  {event['topic']}")
    return verdict(evidence, failed, arguments.summary)


def outcomes(evidence: Evidence) -> Iterator[bool]:
    """Take the steps and say how each went; yields whether it held."""
    log, service = evidence.trusts_log, evidence.trusts_service
    steps: list[tuple[Callable[[], str], bool]] = [
        (evidence.check_files, service),
        (evidence.check_signatures, log),
        (evidence.check_events, log),
        (evidence.check_chain, log),
        (evidence.check_growth, log),
        (evidence.check_completeness, log),
        (evidence.check_opened, log and service),
    ]
    for number, (step, is_trusted) in enumerate(steps, start=1):
        try:
            found = step()
        except NotProved as error:
            say(f"  {number}. FAILS   {error}")
            yield False
        except DAMAGED as error:
            say(f"  {number}. FAILS   damaged: {type(error).__name__} {error}")
            yield False
        else:
            say(f"  {number}. {'holds ' if is_trusted else 'agrees'}  {found}")
            yield True


def verdict(evidence: Evidence, failed: int, summary_file: str | None) -> int:
    if failed:
        print("NOT PROVED · 未能证明")
        return 1
    if evidence.missing:
        print("NOT ESTABLISHED · 未能确认: the evidence agrees with itself, and any forgery may.")
        print("Keys that you trust, from somewhere else than the evidence, are missing:")
        for each in evidence.missing:
            print(f"  {each}")
        return 3
    print(
        "Changes, states, the policy, who asked, and details that are shown without proof are the"
    )
    print("service's own statement: its signature stands for them, not the log.")
    if summary_file:
        try:
            write_new(summary_file, summary(evidence))
        except (OSError, NotProved, *DAMAGED) as error:
            say(f"the summary can't be written: {error}")
            return 1
        say(f"summary: {summary_file}")
    print("EVERYTHING HOLDS · 全部成立")
    return 0


def write_new(file: str, page: str) -> None:
    """Write a file that is not there yet, for its owner only: it shows personal details. A link is
    not followed.

    Raises:
        OSError
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(file, flags, 0o600), "w", encoding="utf-8") as opened:
        opened.write(page)


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
