"""GET /v1/audit/permits/{n}/evidence: verifiable by anyone, with one file of the project."""

import base64
import hashlib
import io
import json
import os
import re
import secrets
import subprocess
import sys
import time
import zipfile
from datetime import date
from pathlib import Path

import pytest

from domain import citizen_id, permit_number
from ledger.database.clock import RELOAD_S

NAME, MOVED_TO = "欧阳证据", "澄江中路二号"
GUARDIAN = {
    "name": "欧阳监护",
    "citizen_id_number": citizen_id.compose("990001", date(1980, 1, 1), 1),
}


@pytest.fixture
def history(at, registrar, application):
    """A permit that was lost and got a new card."""
    at("2026-06-01")
    permit = registrar.post("/v1/permits", application(name=NAME, issued_on="2026-01-05")).json()
    path = f"/v1/permits/{permit['permit_number']}"
    registrar.post(f"{path}/loss-reports")
    registrar.post(f"{path}/reissues")
    return permit


@pytest.fixture
def moved(at, registrar, application):
    """A permit with a guardian whose holder has moved, and what was said of the holder."""
    at("2026-06-01")
    body = application(name=NAME, issued_on="2026-01-05", guardian=GUARDIAN)
    permit = registrar.post("/v1/permits", body).json()
    residence = {"division": "320281", "address": MOVED_TO}
    move = {"residence": residence, "moved_on": "2026-05-30"}
    path = f"/v1/permits/{permit['permit_number']}/address-changes"
    assert registrar.post(path, move).status_code == 200
    return permit, body["holder"] | {"address": body["residence"]["address"]}


@pytest.fixture
def evidence_of(investigator):
    """``evidence_of(permit)``: the zip's bytes."""

    def evidence_of(permit, **parameters):
        path = f"/v1/audit/permits/{permit['permit_number']}/evidence"
        answer = investigator.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/zip"
        return answer.content

    return evidence_of


@pytest.fixture
def verify(http, tmp_path):
    """``verify(zip)``: exit code and output, by the project's verifier; alone, with the keys that
    the service publishes. ``trusted`` are the files of keys that it gets."""
    (tmp_path / "verify_evidence.py").write_bytes(Path("tools/verify_evidence.py").read_bytes())

    def verify(packed, keys=None, *, trusted=("keys", "jwks"), more=()):
        (tmp_path / "evidence.zip").write_bytes(packed)
        (tmp_path / "keys.txt").write_text(keys or http.get("/tlog/keys").text)
        (tmp_path / "jwks.txt").write_text(http.get("/.well-known/jwks.json").text)
        options = [word for name in trusted for word in (f"--{name}", f"{name}.txt")]
        ran = subprocess.run(
            [sys.executable, "-I", "verify_evidence.py", "evidence.zip", *options, *more],
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
    """With matching digests, as a forger would make them."""
    index = json.loads(files["evidence.json"])
    index["files"] = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "evidence.json"
    }
    files = {**files, "evidence.json": json.dumps(index).encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_evidence_passes_every_step(history, evidence_of, verify):
    """All seven steps, with keys from outside the zip."""
    code, said = verify(evidence_of(history))

    assert code == 0, said
    assert said.count("holds") == 7
    assert "EVERYTHING HOLDS" in said
    assert "permit.card-reissued.v1" in said


def test_the_verifier_uses_none_of_our_packages():
    source = Path("tools/verify_evidence.py").read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if "import " in line}
    ours = {
        "domain",
        "ledger",
        "transparency",
        "projections",
        "api",
        "consumers",
        "web",
        "permit_ledger",
    }

    assert not imported & ours
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
    assert len(source.splitlines()) < 1150


def test_the_files_of_the_zip(history, evidence_of):
    files = unpacked(evidence_of(history))
    index = json.loads(files["evidence.json"])
    opened = json.loads(files["opened/history.json"])

    assert [event["topic"] for event in index["events"]] == [event["type"] for event in opened]
    assert index["case"] == "2026-DP-17"
    assert json.loads(files["policy.json"])["version"] == "wuxi-2026.1"
    assert index["files"].keys() == files.keys() - {"evidence.json", "evidence.jws"}
    assert index["disclosed"] == []
    assert "证据" in files["README.txt"].decode()


def fields_in(files):
    """The opened fields of each event, by position."""
    return {
        int(name.removesuffix(".txt").partition("/")[2]): {
            field: value for _, field, value in map(json.loads, content.splitlines())
        }
        for name, content in files.items()
        if name.startswith("disclosures/")
    }


def test_without_disclose_nothing_of_the_holder_is_in_it(moved, evidence_of, verify):
    """In no file, whether its text is escaped or not."""
    permit, holder = moved
    zipped = evidence_of(permit)
    files = unpacked(zipped)
    secrets = {
        *(holder[name] for name in ("name", "citizen_id_number", "hukou_address", "address")),
        *(MOVED_TO, *GUARDIAN.values()),
    }
    forms = {form for text in secrets for form in (text.encode(), json.dumps(text)[1:-1].encode())}

    assert len(secrets) == 7
    found = [(name, form) for name, text in files.items() for form in forms if form in text]
    assert found == []
    assert not fields_in(files)
    code, said = verify(zipped)
    assert code == 0, said
    assert " 0 more were sealed there" in said


def test_chosen_fields_are_opened_and_proved(moved, evidence_of, verify, tmp_path):
    """These and no others, in each event that has them: not the guardian's name."""
    permit, holder = moved
    zipped = evidence_of(permit, disclose="name,residence.address,valid_until")
    files = unpacked(zipped)
    issued, change = (event["position"] for event in json.loads(files["evidence.json"])["events"])

    assert fields_in(files) == {
        issued: {"identity.name": NAME, "residence.address": holder["address"]},
        change: {"residence.address": MOVED_TO},
    }
    whole = b"".join(files.values())
    others = [holder["citizen_id_number"], holder["hukou_address"], *GUARDIAN.values()]
    assert [text for text in others if text.encode() in whole] == []
    assert NAME.encode() not in files["opened/history.json"]
    code, said = verify(zipped, more=("--summary", "summary.html"))
    assert code == 0, said
    assert " 3 more were sealed there and are opened; 0 others" in said
    page = (tmp_path / "summary.html").read_text()
    assert f"<td>identity.name</td><td>{NAME}</td><td>✓</td>" in page
    assert f"<td>residence.address</td><td>{MOVED_TO}</td><td>✓</td>" in page


def test_an_object_opens_all_that_is_in_it(moved, evidence_of):
    files = unpacked(evidence_of(moved[0], disclose="guardian,identity"))
    opened = next(iter(fields_in(files).values()))

    assert GUARDIAN == {name: opened[f"guardian.{name}"] for name in GUARDIAN}
    assert {"identity.sex", "identity.birth_date", "identity.portrait"} < opened.keys()
    assert "residence.address" not in opened


@pytest.mark.parametrize(
    "disclose",
    [
        "salary",
        "name,",
        "name, sex",
        "Name",
        "identity.nam",
        "欧阳",
        ",".join(["name"] * 51),
        "a" * 1001,
    ],
    ids=["unknown", "empty", "space", "capital", "cut", "a name", "too many", "too long"],
)
@pytest.mark.parametrize("what", ["evidence", "events"])
def test_other_names_are_refused(what, disclose, history, investigator):
    """With a problem that does not repeat them: they may be personal."""
    path = f"/v1/audit/permits/{history['permit_number']}/{what}"
    answer = investigator.get(path, disclose=disclose)

    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "INVALID_REQUEST"
    assert [error["field"] for error in problem["errors"]] == ["query.disclose"]
    assert disclose not in problem["errors"][0]["reason"].split()


def test_what_was_opened_is_on_record(history, investigator, supervisor):
    """By the names of fields; a name that is none is not kept."""
    number = history["permit_number"]
    path = f"/v1/audit/permits/{number}/evidence"
    investigator.get(path, disclose="name,residence.address")
    investigator.get(path, disclose=NAME)
    reads = supervisor.get("/v1/audit/reads", subject=number).json()["reads"]

    assert [read["parameters"]["disclose"] for read in reads] == [
        "[not kept]",
        "name,residence.address",
    ]


def test_events_carry_what_proves_the_chosen_fields(moved, investigator):
    """Down to the digests in the stored bytes, whose digest is in the details."""
    permit, _ = moved
    path = f"/v1/audit/permits/{permit['permit_number']}/events"
    [event] = investigator.get(path, disclose="name", limit=1).json()["events"]
    digests = base64.b64decode(json.loads(event["stored"])["sealed"]["digests"])
    [line] = event["disclosures"]

    assert json.loads(line)[1:] == ["identity.name", NAME]
    assert hashlib.sha256(line.encode()).digest() in {
        digests[at : at + 32] for at in range(0, len(digests), 32)
    }
    stored = hashlib.sha256(event["stored"].encode()).hexdigest()
    assert json.loads(event["details"])["state"] == stored
    plain = investigator.get(path, limit=1).json()["events"][0]
    assert (plain["stored"], plain["disclosures"]) == (None, None)


def test_nothing_is_opened_of_a_restricted_holder(moved, evidence_of, look, protect, verify):
    permit, _ = moved
    protect(permit, "restrictions")
    zipped = evidence_of(permit, disclose="name,guardian")

    assert not fields_in(unpacked(zipped))
    assert json.loads(unpacked(zipped)["evidence.json"])["disclosed"] == []
    assert verify(zipped)[0] == 0
    events = look(permit, "events", disclose="name")["events"]
    assert {event["disclosures"] for event in events} == {None}


def test_checkpoints_around_an_instant(
    at, http, history, evidence_of, verify, registrar, application
):
    """What was signed by then, what was signed next, and the newest."""

    def sign_one_more():
        time.sleep(RELOAD_S * 1.5)  # the integrator has followed the clock by then
        issued = registrar.post("/v1/permits", application())
        path = f"/tlog/proof/{issued.headers['ledger-position']}"
        assert http.get(path, headers={"prefer": "wait=10"}).status_code == 200

    sign_one_more()
    at("2026-07-01")
    sign_one_more()
    at("2026-08-01")
    sign_one_more()
    zipped = evidence_of(history, at="2026-06-15T00:00:00Z")
    code, said = verify(zipped)
    files = unpacked(zipped)

    assert code == 0, said
    sizes = [
        int(files[f"checkpoints/{name}.txt"].split()[1]) for name in ("before", "after", "newest")
    ]
    assert sizes == sorted(set(sizes))
    assert json.loads(files["opened/state.json"])["physical"]["card_serial"] == 2


FORGERIES = {
    "another state": lambda files, p: files | {f"states/{p}.bin": files[f"states/{p}.bin"] + b" "},
    "another entry": lambda files, p: (
        files
        | {f"entries/{p}.json": files[f"entries/{p}.json"].replace(b'"position":', b'"position":1')}
    ),
    "other details": lambda files, p: _with_details(files, p, b'"version":2', b'"version":3'),
    "another salt": lambda files, p: _with_details(files, p, b'"salt":"', b'"salt":"0'),
    "details and state": lambda files, p: _with_details(
        files | {f"states/{p}.bin": b"{}"},
        p,
        json.loads(files[f"details/{p}.json"])["state"].encode(),
        hashlib.sha256(b"{}").hexdigest().encode(),
    ),
    "details, entry and state": lambda files, p: _with_entry(
        _with_details(
            files | {f"states/{p}.bin": b"{}"},
            p,
            json.loads(files[f"details/{p}.json"])["state"].encode(),
            hashlib.sha256(b"{}").hexdigest().encode(),
        ),
        p,
    ),
    "the details of another event": lambda files, p: (
        files
        | {f"details/{p}.json": next(files[n] for n in sorted(files) if n.startswith("details/"))}
    ),
    "another size": lambda files, _: _in_note(files, lambda lines: [lines[0], "9", *lines[2:]]),
    "another root": lambda files, _: _in_note(
        files, lambda lines: [*lines[:2], "A" * 43 + "=", *lines[3:]]
    ),
    "a proof of another place": lambda files, p: (
        files
        | {
            f"proofs/{p}.tlog-proof": files[f"proofs/{p}.tlog-proof"].replace(
                f"index {p - 1}\n".encode(), f"index {p - 2}\n".encode()
            )
        }
    ),
    "no proof": lambda files, p: (
        {name: content for name, content in files.items() if name != f"proofs/{p}.tlog-proof"}
    ),
    "another manifest": lambda files, _: (
        files
        | {
            "manifest/row.json": files["manifest/row.json"].replace(
                b'"last_version":3', b'"last_version":2'
            )
        }
    ),
    "a hash of the manifest": lambda files, _: (
        files | {"manifest/row-path.txt": b"A" * 43 + b"=\n" + files["manifest/row-path.txt"]}
    ),
}


def _with_details(files, p, true, false):
    return files | {f"details/{p}.json": files[f"details/{p}.json"].replace(true, false)}


def _with_entry(files, p):
    """The entry that commits to the details."""
    commitment = hashlib.sha256(files[f"details/{p}.json"]).hexdigest()
    entry = json.dumps({"commitment": commitment, "position": p}, separators=(",", ":"))
    return files | {f"entries/{p}.json": entry.encode()}


def _in_note(files, change):
    """The newest checkpoint, in all places at once."""
    note = files["checkpoints/newest.txt"]
    changed = "\n".join(change(note.decode().split("\n"))).encode()
    return {name: content.replace(note, changed) for name, content in files.items()}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_refused(forgery, history, evidence_of, verify):
    """Made without the log's key, but with matching digests."""
    files = unpacked(evidence_of(history))
    position = json.loads(files["evidence.json"])["events"][1]["position"]
    forged = FORGERIES[forgery](files, position)
    assert forged != files
    code, said = verify(packed(forged))

    assert code == 1, said
    assert "NOT PROVED" in said
    assert "holds" not in said.splitlines()[1]


@pytest.mark.parametrize("hidden", [0, 1, 2])
def test_a_missing_event_is_detected(hidden, history, evidence_of, verify):
    """The first, one between, and the last, which only the manifest names."""
    files = unpacked(evidence_of(history))
    index = json.loads(files["evidence.json"])
    gone = index["events"].pop(hidden)["position"]
    kept = {name: content for name, content in files.items() if f"/{gone}." not in name}
    code, said = verify(packed(kept | {"evidence.json": json.dumps(index).encode()}))

    assert code == 1, said


def test_evidence_signed_by_another_log_is_refused(history, evidence_of, verify, http):
    """Evidence that is only consistent with itself proves nothing."""
    keys = http.get("/tlog/checks/key").text
    code, said = verify(evidence_of(history), keys)

    assert code == 1
    assert "no key is known" in said


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all"])
def test_a_file_that_is_not_evidence_is_reported(content, tmp_path):
    (tmp_path / "e.zip").write_bytes(content)
    script = str(Path("tools/verify_evidence.py").resolve())
    ran = subprocess.run(
        [sys.executable, "-I", script, str(tmp_path / "e.zip")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (2, "")


def test_an_erasure_breaks_no_proof(history, evidence_of, verify, look, erase):
    """Evidence from before still verifies, with the name that it opens; evidence from after does
    too, and opens nothing."""
    before = evidence_of(history, disclose="name")
    erase(history)
    after = evidence_of(history, disclose="name")

    code, said = verify(before)
    assert code == 0, said
    assert " 1 more were sealed there and are opened" in said
    assert NAME in str(fields_in(unpacked(before)))
    code, said = verify(after)
    assert code == 0, said
    files = unpacked(after)
    assert NAME.encode() not in b"".join(files.values())
    assert NAME not in str(json.loads(files["opened/history.json"]))
    assert not fields_in(files)
    assert {
        event["disclosures"] for event in look(history, "events", disclose="name")["events"]
    } == {None}
    same = {name for name in unpacked(before) if name.startswith("states/")}
    assert {name: unpacked(before)[name] for name in same} == {name: files[name] for name in same}


def test_evidence_contains_no_other_permit(registrar, history, investigator, supervisor):
    path = f"/v1/audit/permits/{history['permit_number']}/evidence"

    assert registrar.get(path).status_code == 403
    assert investigator.get(path.replace(history["permit_number"], "0" * 12)).status_code == 404
    reads = supervisor.get("/v1/audit/reads", subject=history["permit_number"]).json()["reads"]
    assert reads[0]["what"] == "evidence"


@pytest.fixture
def terminal(http, evidence_of, history, tmp_path):
    """``terminal(stdout, PYTHONIOENCODING="ascii")``: the verifier, as on that terminal."""
    (tmp_path / "evidence.zip").write_bytes(evidence_of(history))
    (tmp_path / "keys.txt").write_text(http.get("/tlog/keys").text)
    (tmp_path / "jwks.json").write_text(http.get("/.well-known/jwks.json").text)
    script = str(Path("tools/verify_evidence.py").resolve())
    usual = ["evidence.zip", "--keys", "keys.txt", "--jwks", "jwks.json"]

    def terminal(*arguments, stdout=subprocess.PIPE, **environment):
        command = [sys.executable, script, *(arguments or usual)]
        return subprocess.run(
            command,
            check=False,
            cwd=tmp_path,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **environment},
        )

    return terminal


@pytest.mark.parametrize(
    "encoding",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "gbk"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=lambda given: next(iter(given.values())),
)
def test_the_verdict_can_be_printed_on_any_terminal(terminal, encoding):
    """The exit code is that of the evidence, not of the terminal."""
    usual, ran = terminal(), terminal(**encoding)

    assert (usual.returncode, b"") == (ran.returncode, ran.stderr)
    assert b"NOT PROVED" in ran.stdout or b"EVERYTHING HOLDS" in ran.stdout


@pytest.mark.parametrize(("arguments", "codes"), [([], {141}), (["--help"], {0, 141})])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_verdict_that_cannot_be_written_is_an_error(terminal, arguments, codes, unbuffered):
    """No partial output, and never exit code 0."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = terminal(*arguments, stdout=writing, PYTHONUNBUFFERED=unbuffered)
    os.close(writing)

    assert ran.returncode in codes
    assert b"" == ran.stderr


# -- absence -----------------------------------------------------------------------------------


@pytest.fixture
def absent(caller):
    """``absent(number)``: what a holder gets who wants to prove that there is no such permit."""
    person = caller("holder", holder_id="somebody")

    def absent(number):
        return person.get(f"/v1/permits/{number}/absence")

    return absent


def test_that_nothing_is_recorded_under_a_number_is_proved(history, issue, absent, verify):
    """By the map, which has nothing or another permit in the number's place; until now."""
    last = issue()["as_of_position"]
    for _ in range(8):
        answer = absent(permit_number.draw(secrets.randbits))
        assert answer.status_code == 200, answer.text
        code, said = verify(answer.content)

        assert code == 0, said
        until = int(re.search(r"up to position (\d+) nothing is recorded", said)[1])
        assert until >= last
        assert json.loads(unpacked(answer.content)["opened/history.json"]) == []


def test_what_is_recorded_has_no_such_proof(history, absent):
    """And nothing of it is shown."""
    answer = absent(history["permit_number"])

    assert (409, "CONFLICT") == (answer.status_code, answer.json()["code"])
    assert {"type", "title", "status", "detail", "code", "correlation_id"} >= answer.json().keys()
    assert 404 == absent("nonsense").status_code
