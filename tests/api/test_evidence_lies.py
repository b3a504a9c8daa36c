"""Evidence that was tampered with or invented: the verifier never says that it holds."""

import asyncio
import base64
import hashlib
import io
import json
import secrets
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from domain import permit_number
from projections.queries.permits import read_pool
from transparency.logs import EVENTS
from transparency.reading import TreeReader

NAME = "欧阳伪造"
SCRIPT = "<script>alert(1)</script>"
MOMENT = (1980, 1, 1, 0, 0, 0)


@pytest.fixture(scope="module")
def genuine(registrar, investigator, application):
    """The zip of a permit whose card was lost and replaced, and whose holder has moved; it opens
    name and addresses, one of which is HTML."""
    body = application(name=NAME)
    body["holder"]["hukou_address"] = SCRIPT
    permit = registrar.post("/v1/permits", body).json()
    path = f"/v1/permits/{permit['permit_number']}"
    registrar.post(f"{path}/loss-reports")
    registrar.post(f"{path}/reissues")
    for n in (1, 2):
        move = {"residence": {"division": "320281", "address": f"澄江中路{n}号"}}
        day = {"moved_on": permit["valid_from"]}
        assert registrar.post(f"{path}/address-changes", move | day).status_code == 200
    answer = investigator.get(
        f"/v1/audit/permits/{permit['permit_number']}/evidence",
        disclose="name,hukou_address,address",
    )
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.fixture
def verify(http, tmp_path):
    """``verify(zip)``: exit code and output, with the service's published keys, or fewer."""
    script = str(Path("tools/verify_evidence.py").resolve())

    def verify(packed, *options, trusted=("keys", "jwks")):
        (tmp_path / "evidence.zip").write_bytes(packed)
        (tmp_path / "keys.txt").write_text(http.get("/tlog/keys").text)
        (tmp_path / "jwks.txt").write_text(http.get("/.well-known/jwks.json").text)
        keys = [word for name in trusted for word in (f"--{name}", f"{name}.txt")]
        ran = subprocess.run(
            [sys.executable, "-I", script, "evidence.zip", *keys, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.stderr == ""
        return ran.returncode, ran.stdout

    return verify


def unpacked(packed):
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files):
    """As they are, in this order; ``files`` may be pairs of ``ZipInfo`` and content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, content)
    return buffer.getvalue()


def listed(files):
    """With matching digests in evidence.json, as a forger would make them."""
    index = json.loads(files["evidence.json"])
    index["files"] = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name not in {"evidence.json", "evidence.jws"}
    }
    return {**files, "evidence.json": json.dumps(index).encode()}


def changed(name, old, new):
    def change(files):
        content = files[name].replace(old.encode(), new.encode())
        assert content != files[name]
        return files | {name: content}

    return change


def in_index(**members):
    return lambda files: (
        files
        | {"evidence.json": json.dumps({**json.loads(files["evidence.json"]), **members}).encode()}
    )


def places(files):
    """Of the disclosures, in the order of the events."""
    listed = [event["position"] for event in json.loads(files["evidence.json"])["events"]]
    return [f"disclosures/{n}.txt" for n in listed if f"disclosures/{n}.txt" in files]


def in_disclosures(number, change):
    """Other lines in the place of those of one event."""

    def changed(files):
        name = places(files)[number]
        content = change(files[name], files)
        assert content != files[name]
        return files | {name: content}

    return changed


def other_value(old, new):
    return lambda content, _: content.replace(old.encode(), new.encode())


LIES = {
    "another name": in_disclosures(0, other_value(NAME, "欧阳他人")),
    "another outcome": changed("opened/state.json", '"in_force"', '"voided"'),
    "another case": in_index(case="2020-OTHER-1"),
    "another investigator": in_index(asked_by="somebody"),
    "another instant": in_index(at="2020-01-01T00:00:00Z"),
    "another policy": changed("policy.json", "wuxi-2026.1", "wuxi-2020.1"),
    "other words": changed("README.txt", "keys.txt", "any.txt"),
    "another verifier": changed("verify_evidence.py", "return 1", "return 0"),
    "other keys beside": changed("keys/log.txt", "+", "-"),
    "a summary": lambda files: files | {"summary.html": SCRIPT.encode()},
    "a file more": lambda files: files | {"opened/more.json": b"{}"},
    "a file less": lambda files: {n: c for n, c in files.items() if n != "opened/state.json"},
    "no signature": lambda files: {n: c for n, c in files.items() if n != "evidence.jws"},
}


@pytest.mark.parametrize("relisted", [False, True], ids=["as it is", "listed again"])
@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_the_service_did_not_sign_is_found(lie, relisted, genuine, verify):
    """Whether or not the forger writes the list of files again."""
    files = LIES[lie](unpacked(genuine))
    code, said = verify(packed(listed(files) if relisted else files))

    assert code == 1, said
    assert "NOT PROVED" in said
    assert "EVERYTHING HOLDS" not in said
    assert "1. FAILS" in said


def test_each_file_at_fault_is_named(genuine, verify):
    """Changed, added and missing ones."""
    files = unpacked(genuine)
    files["policy.json"] += b" "
    files["opened/more.json"] = b"{}"
    del files["README.txt"]
    _, said = verify(packed(files))

    assert "policy.json: not the file that was signed" in said
    assert "opened/more.json: not on the signed list" in said
    assert "README.txt: missing" in said


@pytest.mark.parametrize(
    ("trusted", "missing"),
    [((), ("--keys", "--jwks")), (("keys",), ("--jwks",)), (("jwks",), ("--keys",))],
    ids=["none", "the log's", "the service's"],
)
def test_without_trusted_keys_nothing_holds(trusted, missing, genuine, verify):
    """Exit code 3, and words that say which keys are missing; genuine evidence is no exception."""
    code, said = verify(genuine, trusted=trusted)

    assert code == 3, said
    assert "NOT ESTABLISHED" in said
    assert "EVERYTHING HOLDS" not in said
    assert all(f"  {each}: " in said for each in missing)
    assert said.count(". holds") == {(): 0, ("keys",): 5, ("jwks",): 1}[trusted]


def invented(genuine):
    """Evidence of things that never happened, with keys of the forger's own: each signature in it
    is valid."""
    log = Ed25519PrivateKey.generate()
    origin, stream = "localhost/permit-ledger", "AAAAAAAAAAAA"
    state = b'{"timestamp":"2026-01-05T00:00:00+00:00","actor":"a","station":"s"}'
    entry = json.dumps(
        {
            "position": 1,
            "previous": None,
            "recorded_at": "2026-01-05T00:00:00+00:00",
            "sealed": None,
            "state": hashlib.sha256(state).hexdigest(),
            "stream": stream,
            "topic": "permit.issued.v1",
            "version": 1,
        }
    ).encode()
    leaf = hashlib.sha256(b"\0" + entry).digest()
    row = json.dumps({"last_leaf": leaf.hex(), "last_version": 1, "stream": stream}).encode()
    manifest = json.dumps(
        {
            "permits": 1,
            "manifest_root": hashlib.sha256(b"\0" + row).hexdigest(),
            "log_size": 1,
            "log_root": leaf.hex(),
        }
    ).encode()
    keys = []

    def note(name, root):
        public = b"\x01" + log.public_key().public_bytes_raw()
        key_id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
        text = f"{name}\n1\n{base64.b64encode(root).decode()}\n"
        value = base64.b64encode(key_id + log.sign(text.encode())).decode()
        keys.append(f"{name}+{key_id.hex()}+{base64.b64encode(public).decode()}")
        return f"{text}\n— {name} {value}\n"

    newest = note(origin, leaf)
    head = "c2sp.org/tlog-proof@v1\nindex 0\n\n"
    over_manifests = note(f"{origin}/manifests", hashlib.sha256(b"\0" + manifest).digest())
    service = ECKey.generate_key("P-256", auto_kid=True)
    files = {
        **unpacked(genuine),
        "checkpoints/newest.txt": newest.encode(),
        "entries/1.json": entry,
        "states/1.bin": state,
        "proofs/1.tlog-proof": (head + newest).encode(),
        "manifest/row.json": row,
        "manifest/row-path.txt": b"",
        "manifest/entry.json": manifest,
        "manifest/entry.tlog-proof": (head + over_manifests).encode(),
        "manifest/consistency.txt": b"",
        "keys/service.json": json.dumps(KeySet([service]).as_dict(private=False)).encode(),
    }
    opened = {
        **json.loads(files["opened/history.json"])[0],
        "position": 1,
        "version": 1,
        "type": "permit.issued.v1",
        "actor": "a",
        "station": "s",
        "policy_version": None,
        "correlation_id": None,
        "recorded_at": "2026-01-05T00:00:00Z",
    }
    files["opened/history.json"] = json.dumps([opened]).encode()
    files["keys/log.txt"] = "".join(f"{key}\n" for key in keys).encode()
    kept = {
        name: content
        for name, content in files.items()
        if not name.startswith(("checkpoints/b", "checkpoints/a", "consistency/", "disclosures/"))
        and (
            not name.startswith(("entries/", "states/", "proofs/"))
            or name.partition("/")[2].startswith("1.")
        )
    }
    event = {"position": 1, "version": 1, "topic": "permit.issued.v1"}
    event["recorded_at"] = "2026-01-05T00:00:00+00:00"
    kept = in_index(stream=stream, origin=origin, events=[event], manifest_row=0, as_of_position=1)(
        kept
    )
    kept = listed(kept)
    claims = {
        "iss": "permit-ledger-development",
        "origin": origin,
        "stream": stream,
        "evidence_sha256": hashlib.sha256(kept["evidence.json"]).hexdigest(),
    }
    header = {"alg": "ES256", "typ": "permit-evidence+jwt", "kid": service.kid}
    kept["evidence.jws"] = jws.serialize_compact(header, json.dumps(claims), service).encode()
    return packed(kept)


def test_invented_evidence_does_not_hold_with_its_own_keys(genuine, verify):
    """It agrees with itself in every step; without trusted keys that is all that is said."""
    code, said = verify(invented(genuine), trusted=())

    assert "FAILS" not in said
    assert code == 3, said
    assert "NOT ESTABLISHED" in said
    assert "holds" not in said.replace("HOLDS", "")


@pytest.mark.parametrize("trusted", [("keys", "jwks"), ("keys",), ("jwks",)])
def test_invented_evidence_fails_with_trusted_keys(trusted, genuine, verify):
    """Any trusted key is enough."""
    code, said = verify(invented(genuine), trusted=trusted)

    assert code == 1, said
    assert "NOT PROVED" in said


@pytest.mark.parametrize("header", [{"alg": "none"}, {"typ": "permit-check-receipt+jwt"}])
def test_another_kind_of_signature_is_not_one_of_evidence(header, genuine, verify):
    """A receipt of the same key can't stand for a list of files, nor can an unsigned one."""
    files = unpacked(genuine)
    head, payload, signature = files["evidence.jws"].decode().strip().split(".")
    said = json.loads(base64.urlsafe_b64decode(head + "=="))
    head = base64.urlsafe_b64encode(json.dumps({**said, **header}).encode()).decode().rstrip("=")
    files["evidence.jws"] = f"{head}.{payload}.{signature}".encode()
    code, said = verify(packed(files))

    assert code == 1
    assert "signature of another kind" in said


@pytest.fixture
def sign(service):
    """``sign(files)``: as a service would that lies itself, with its list and its own key."""
    key = ECKey.import_key(json.loads((service.data_dir / "keys" / "receipts.jwk").read_text()))

    def sign(files):
        files = listed(files)
        head, payload, _ = files["evidence.jws"].decode().split(".")
        kid = json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        claims["evidence_sha256"] = hashlib.sha256(files["evidence.json"]).hexdigest()
        header = {"alg": "ES256", "typ": "permit-evidence+jwt", "kid": kid}
        signed = jws.serialize_compact(header, json.dumps(claims), key)
        return packed({**files, "evidence.jws": signed.encode()})

    return sign


def in_history(number, **members):
    """Other members of an opened event, and of its facts under ``facts``."""

    def change(files):
        history = json.loads(files["opened/history.json"])
        facts = {**(history[number]["facts"] or {}), **members.pop("facts", {})}
        history[number] |= {"facts": facts, **members}
        return files | {"opened/history.json": json.dumps(history).encode()}

    return change


SIGNED_LIES = {
    "who": changed("opened/history.json", "registrar@development", "registrar@elsewhere"),
    "a fact in the clear": changed("opened/history.json", '"anchor": "', '"anchor": "1'),
    "facts of what can't be read": in_history(
        0, readable=False, reason="x", facts={"anchor": "1999-01-01"}
    ),
    "nearly readable": in_history(0, readable=1, facts={"anchor": "1999-01-01"}),
    "a name that looks like a part": in_history(0, facts={"residence.division": "110101"}),
    "a name that can't be seen": in_history(0, facts={"anchor\u200b": "1999-01-01"}),
    "a number for a text": in_history(0, facts={"card_serial": 1.0}),
    "a member twice": changed(
        "opened/history.json", '"anchor": "', '"anchor": "1999-01-01", "anchor": "'
    ),
}


def test_opened_events_that_differ_from_the_stored_bytes_are_found(genuine, verify, sign, subtests):
    """Even where the service has signed them: who, where, and each fact that is in the clear."""
    assert verify(sign(unpacked(genuine)))[0] == 0
    for lie, change in SIGNED_LIES.items():
        with subtests.test(lie=lie):
            code, said = verify(sign(change(unpacked(genuine))), "--summary", "summary.html")

            assert code == 1, said
            assert "1. holds" in said
            assert "7. FAILS" in said


def first_line(content):
    return content[: content.index(b"\n") + 1]


def other_salt(content, _):
    digit = b"1" if content[2:3] == b"0" else b"0"
    return content[:2] + digit + content[3:]


def swapped(files):
    first, second = places(files)[1:]
    return files | {first: files[second], second: files[first]}


def of_no_digests(files):
    """Fields of an event that has none: the loss of the card."""
    position = json.loads(files["evidence.json"])["events"][1]["position"]
    return files | {f"disclosures/{position}.txt": files[places(files)[0]]}


NOT_SEALED, TWICE = "is not one that was sealed there", "is opened twice"
OPENED_LIES = {
    "another salt": (in_disclosures(0, other_salt), NOT_SEALED),
    "another value": (in_disclosures(0, other_value(NAME, "欧阳他人")), NOT_SEALED),
    "another name of a field": (
        in_disclosures(0, other_value("identity.name", "identity.nbme")),
        NOT_SEALED,
    ),
    "another order of items": (
        in_disclosures(0, lambda content, _: b'["identity.name",' + content[1:]),
        NOT_SEALED,
    ),
    "a space": (in_disclosures(0, lambda content, _: content.replace(b",", b", ", 1)), NOT_SEALED),
    "another line end": (
        in_disclosures(0, lambda content, _: content.replace(b"\n", b"\r\n")),
        NOT_SEALED,
    ),
    "no line end": (in_disclosures(0, lambda content, _: content[:-1]), "has no line end"),
    "an empty line": (in_disclosures(0, lambda content, _: b"\n" + content), NOT_SEALED),
    "those of two events swapped": (swapped, NOT_SEALED),
    "one of another event": (
        in_disclosures(1, lambda content, files: content + files[places(files)[2]]),
        NOT_SEALED,
    ),
    "a field twice": (in_disclosures(0, lambda content, _: content + first_line(content)), TWICE),
    "of an event without digests": (of_no_digests, "that has no digests of any"),
    "of no event": (
        lambda files: files | {"disclosures/99999.txt": files[places(files)[0]]},
        "of no event that is listed",
    ),
    "stated otherwise beside": (
        in_history(3, facts={"residence": {"address": "别处", "division": "320281"}}),
        "shows other values than the stored bytes: residence.address",
    ),
}


def test_opened_fields_that_were_not_sealed_are_found(genuine, verify, sign, subtests):
    """Even where the service has signed them; the step and the fault are named."""
    code, said = verify(genuine)
    assert code == 0, said
    assert " 5 more were sealed there and are opened; 0 others" in said
    for lie, (change, fault) in OPENED_LIES.items():
        with subtests.test(lie=lie):
            code, said = verify(sign(change(unpacked(genuine))), "--summary", "summary.html")

            assert code == 1, said
            assert "1. holds" in said
            assert "7. FAILS" in said
            assert fault in said


def named(name, content=b"x", mode=0o100600, **attributes):
    info = zipfile.ZipInfo(name, MOMENT)
    info.external_attr = mode << 16
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


NAMES = [
    "../out",
    "/etc/x",
    "a/../../x",
    "a\\b",
    "C:x",
    "./x",
    ".hidden",
    "a//b",
    "a/",
    "é",
    "x" * 101,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere_are_refused(name, genuine, verify):
    """Nothing of such a zip is taken to be evidence."""
    files = [*unpacked(genuine).items(), named(name)]
    code, said = verify(packed(files))

    assert code == 2, said
    assert "safe name" in said


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["policy.json", "POLICY.json"])
def test_a_name_that_is_there_twice_is_refused(name, genuine, verify):
    """Also for programs that don't distinguish cases."""
    code, said = verify(packed([*unpacked(genuine).items(), named(name)]))

    assert code == 2, said
    assert "twice" in said


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind, genuine, verify):
    files = [*unpacked(genuine).items(), named("opened/link", b"/etc/passwd", kind | 0o777)]
    code, said = verify(packed(files))

    assert code == 2, said
    assert "no file" in said


def test_a_zip_bomb_is_refused(genuine, verify):
    """One file, or all of them, larger than evidence can be: nothing is unpacked."""
    zeros = bytes(1 << 20)
    files = [*unpacked(genuine).items(), named("opened/zeros", zeros, compress_type=8)]
    content = packed(files)
    at = content.rindex(b"opened/zeros") - 46
    for claimed in (513 << 20, 1025 << 20):
        # Of a file that claims so much in the directory, no byte is read.
        larger = content[: at + 24] + struct.pack("<L", claimed) + content[at + 28 :]
        code, said = verify(larger)

        assert code == 2, said
        assert "larger" in said
    listed_last = [pair for pair in files if pair[0] != "evidence.json"]
    listed_last.append(named("evidence.json", bytes(65 << 20), compress_type=8))
    code, said = verify(packed(listed_last))

    assert code == 2, said
    assert "larger" in said


def test_evidence_of_very_many_files_can_be_read(genuine, verify):
    """More than 65,535, which takes the larger kind of directory; they are not on the list."""
    more = [(f"states/{n}.txt", b"") for n in range(66_000)]
    code, said = verify(packed([*unpacked(genuine).items(), *more]))

    assert code == 1, said
    assert "states/0.txt" in said
    assert "66000" not in said
    assert "65995 more: not on the signed list" in said


def test_a_size_that_is_a_lie_is_found(genuine, verify):
    """A bomb that states a small size yields no more than that, and has another checksum."""
    content = packed(
        [*unpacked(genuine).items(), named("opened/zeros", bytes(9 << 20), compress_type=8)]
    )
    size = struct.pack("<L", 9 << 20)
    assert size in content
    code, said = verify(content.replace(size, struct.pack("<L", 100)))

    assert code == 1, said
    assert "opened/zeros" in said


def with_gap(content):
    """A file that the directory does not list, but that readers from the front find."""
    at = content.index(b"PK\x01\x02")
    hidden = packed({"policy.json": b"{}"})
    local = hidden[: hidden.index(b"PK\x01\x02")]
    end = bytearray(content[at:])
    offset = struct.unpack("<L", end[-6:-2])[0] + len(local)
    end[-6:-2] = struct.pack("<L", offset)
    return content[:at] + local + bytes(end)


def restated(*, directory=None, front=None, more=b"", counts=None):
    """Other bytes at these places of what a zip states of its first file, ``policy.json``; ``more``
    behind its packed bytes."""

    def change(content):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        content = bytearray(packed({"policy.json": files.pop("policy.json"), **files}))
        listed_at = content.index(b"PK\x01\x02")
        for at, value in (front or {}).items():
            content[at : at + len(value)] = value
        for at, value in (directory or {}).items():
            content[listed_at + at : listed_at + at + len(value)] = value
        if counts is not None:
            content[-14:-10] = struct.pack("<2H", counts, counts)
        if not more:
            return bytes(content)
        [size] = struct.unpack("<L", content[18:22])
        content[18:22] = struct.pack("<L", size + len(more))
        behind = 30 + len("policy.json") + size
        content = content[:behind] + more + content[behind:]
        at = content.rindex(b"PK\x05\x06") + 16
        content[at : at + 4] = struct.pack("<L", listed_at + len(more))
        at = listed_at + len(more)
        content[at + 20 : at + 24] = struct.pack("<L", size + len(more))
        while content[at : at + 4] == b"PK\x01\x02":
            name, extra, comment = struct.unpack("<3H", content[at + 28 : at + 34])
            [offset] = struct.unpack("<L", content[at + 42 : at + 46])
            if offset:
                content[at + 42 : at + 46] = struct.pack("<L", offset + len(more))
            at += 46 + name + extra + comment
        return bytes(content)

    return change


def unicode_name(content):
    """Extra field 0x7075: a second name, which some programs prefer."""
    files = unpacked(content)
    info, first = named("policy.json", files.pop("policy.json"), compress_type=8)
    name = b"other.json"
    field = struct.pack("<BL", 1, zlib.crc32(b"policy.json")) + name
    info.extra = struct.pack("<2H", 0x7075, len(field)) + field
    return packed([(info, first), *files.items()])


ANOTHER = packed({"policy.json": b"{}"})
SMUGGLED = {
    "before": lambda c: b"#!/bin/sh\n" + c,
    "after": lambda c: c + b"<html>",
    "between": with_gap,
    "a second name": unicode_name,
    "another name in front": restated(front={30: b"other_.json"}),
    "another size in front": restated(front={18: b"\x01\0\0\0"}),
    "another method in front": restated(front={8: b"\0\0"}),
    "streamed in front": restated(front={6: b"\x08\0"}),
    "fewer than are listed": restated(counts=3),
    "more than are listed": restated(counts=900),
    "on another disk": restated(directory={34: b"\1\0"}),
}


def test_bytes_that_belong_to_no_file_are_refused(genuine, verify, subtests):
    """So that the zip is nothing else as well, and other programs find the same files in it."""
    for how, smuggle in SMUGGLED.items():
        with subtests.test(how=how):
            code, said = verify(smuggle(genuine))

            assert code == 2, said


def test_bytes_behind_the_end_of_a_packed_file_are_found(genuine, verify):
    """A program that reads from the front takes them for the next file."""
    assert verify(restated()(genuine))[0] == 0
    code, said = verify(restated(more=ANOTHER)(genuine))

    assert code == 1, said
    assert "policy.json: not the file that was signed" in said


def test_damaged_compression_is_reported(genuine, verify):
    """Bytes that don't unpack: no traceback."""
    with zipfile.ZipFile(io.BytesIO(genuine)) as archive:
        info = archive.getinfo("opened/history.json")
    at = info.header_offset + 30 + len(info.filename) + 20
    code, said = verify(genuine[:at] + b"\xff" * 40 + genuine[at + 40 :])

    assert code == 1, said
    assert "opened/history.json: not the file that was signed" in said


def test_the_terminal_shows_no_control_characters(genuine, verify):
    """A forged name can't write a verdict of its own, or wipe out ours."""
    stream = "X\n  1. holds\nEVERYTHING HOLDS\x1b[2J\u202e"
    code, said = verify(packed(in_index(stream=stream)(unpacked(genuine))))

    assert code == 1
    assert "EVERYTHING HOLDS" not in said.splitlines()
    assert not {"\x1b", "\u202e"} & set(said)


def test_the_summary_is_written_from_what_was_verified(genuine, verify, tmp_path):
    """With the name as text, and without anything that runs or is loaded."""
    code, _ = verify(genuine, "--summary", "summary.html")
    page = (tmp_path / "summary.html").read_text()

    assert code == 0
    assert NAME in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert page.index("Content-Security-Policy") < page.index("<title>")


def test_a_summary_replaces_no_file_and_follows_no_link(genuine, verify, tmp_path):
    """It shows personal details: it is its owner's."""
    (tmp_path / "there.html").write_text("mine")
    (tmp_path / "link.html").symlink_to(tmp_path / "elsewhere.html")
    for name in ("there.html", "link.html"):
        code, said = verify(genuine, "--summary", name)

        assert code == 1, said
        assert "summary can't be written" in said
        assert "EVERYTHING HOLDS" not in said
    assert (tmp_path / "there.html").read_text() == "mine"
    assert not (tmp_path / "elsewhere.html").exists()
    assert verify(genuine, "--summary", "new.html")[0] == 0
    assert 0o600 == stat.S_IMODE((tmp_path / "new.html").stat().st_mode)


def test_a_large_list_is_not_taken_apart_unsigned(genuine, verify):
    """It would take memory before anything is known of it; nor is a large file of a small kind."""
    files = unpacked(genuine)
    large = files | {"evidence.json": files["evidence.json"] + b" " * (9 << 20)}
    code, said = verify(packed(large))

    assert code == 2, said
    assert "too large to read" in said
    large = files | {"checkpoints/newest.txt": b" " * (2 << 20)}
    code, said = verify(packed(listed(large)))

    assert code == 1, said
    assert "larger than a file of its kind" in said


def test_there_is_no_summary_of_what_does_not_hold(genuine, verify, tmp_path):
    """Neither of forged evidence nor without trusted keys."""
    forged = packed(LIES["another name"](unpacked(genuine)))

    assert verify(forged, "--summary", "summary.html")[0] == 1
    assert verify(genuine, "--summary", "summary.html", trusted=())[0] == 3
    assert not (tmp_path / "summary.html").exists()


def test_evidence_of_an_older_format_is_not_accepted(genuine, verify):
    """Its files were not signed."""
    code, said = verify(packed(in_index(format="permit-ledger-evidence/1")(unpacked(genuine))))

    assert code == 2
    assert "another format" in said


# -- absence -----------------------------------------------------------------------------------


def test_a_false_absence_is_refused(genuine, registrar, verify, sign, subtests):
    """Of a permit that there is, from the proof of its presence or from that of another number; the
    service itself has signed it."""
    present = unpacked(genuine)
    number = json.loads(present["evidence.json"])["stream"]
    unknown = permit_number.draw(secrets.randbits)
    absent = unpacked(registrar.get(f"/v1/permits/{unknown}/absence").content)
    absent["evidence.json"] = absent["evidence.json"].replace(unknown.encode(), number.encode())
    own = {"key": hashlib.sha256(number.encode()).hexdigest(), "value": "00" * 32}
    for lie, changes in {
        "another name": {},
        "its own leaf": {"manifest/beside.json": json.dumps(own).encode()},
        "the path to it": {"manifest/row-path.txt": present["manifest/row-path.txt"]},
        "an empty map": {"manifest/row-path.txt": b""},
        "too long a path": {"manifest/row-path.txt": b"AAAA\n" * 300},
        "no key": {"manifest/beside.json": json.dumps({**own, "key": ""}).encode()},
    }.items():
        with subtests.test(lie=lie):
            code, said = verify(sign({**absent, **changes}))

            assert code == 1
            assert "  6. FAILS" in said


def test_an_absence_of_before_is_none_of_now(service, registrar, application, verify, sign):
    """Where the log has grown since, the verifier says how far."""

    def absent():
        unknown = permit_number.draw(secrets.randbits)
        return unpacked(registrar.get(f"/v1/permits/{unknown}/absence").content)

    async def grown(old, new):
        async with read_pool(service.database_url, connections_max=1) as pool:
            return await TreeReader(pool, "", list).consistency(EVENTS, old, new)

    before = absent()
    registrar.post("/v1/permits", application())
    newest = absent()["checkpoints/newest.txt"]
    old = json.loads(before["manifest/entry.json"])["log_size"]
    new = int(newest.split(b"\n")[1])
    path = b"".join(base64.b64encode(each) + b"\n" for each in asyncio.run(grown(old, new)))

    lie = {"checkpoints/newest.txt": newest, "manifest/consistency.txt": path}
    code, said = verify(sign({**before, **lie}))

    assert code == 0, said
    assert f"of the {new - old} entries that came later nothing is shown" in said
