"""The service, and a witness that others wrote, over HTTP: cosigned, served, and recovered from
whatever either of them has forgotten."""

import json
import os
import subprocess
import sys
import zipfile
from base64 import b64encode
from contextlib import ExitStack

import httpx
import pytest

from tests.api.conftest import free_port
from tests.api.service import Caller, Service
from tests.foreign.litewitness import EMPTY_ROOT, Litewitness
from tests.transparency.cosigning import cosigner
from tests.transparency.misbehaving_witness import drips, witness_at
from tests.waiting import until
from transparency.notes import Note, NoteVerifier, TreeHead
from transparency.proof_text import TlogProof
from transparency.witness.policy import WitnessPolicy

pytestmark = pytest.mark.timeout(300)
WAIT_S = 60
LOGS = ("", "/checks", "/manifests", "/audit-reads")
LIAR = cosigner(66, "liar.example/w")


@pytest.fixture(scope="module")
def witness(make_data_dir):
    witness = Litewitness.start(make_data_dir() / "w", "witness.example/lite")
    yield witness
    witness.stop()


@pytest.fixture(scope="module")
def words(make_data_dir):
    return make_data_dir() / "words"


@pytest.fixture(scope="module")
def service(make_data_dir, witness, words):
    """It asks two witnesses, of whom one never comes to an end; either is enough."""
    with ExitStack() as stack:
        drip = drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x")
        liar = stack.enter_context(witness_at(drip))
        folder = make_data_dir()
        policy = folder / "policy"
        policy.write_text(
            f"witness lite {witness.key} {witness.url}\n"
            f"witness liar {LIAR.vkey} {liar}\n"
            "group either any lite liar\n"
            "quorum either\n"
        )
        service = Service(folder / "data", free_port())
        service.launch(
            stderr=stack.enter_context(words.open("wb")),
            environment={
                **os.environ,
                "PERMIT_LEDGER_WITNESS_POLICY": str(policy),
                "PERMIT_LEDGER_WITNESS_INTERVAL_S": "0.2",
            },
        )
        service.wait_until_ready()
        yield service
        assert service.stop() == 0


@pytest.fixture(scope="module")
def http(service):
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def operator(http):
    return Caller.with_token(http, "operator")


@pytest.fixture(scope="module")
def known(http, witness):
    """The witness knows our logs."""
    for log in LOGS:
        witness.add_log(http.get(f"/tlog{log}/key").text.strip())
    return witness


@pytest.fixture
def write(http, application):
    """``write()``: another event; its position. ``write.permit()``: the permit's number."""
    registrar = service_caller(http, "registrar", station="320211-01")

    def issue():
        answer = http.post("/v1/permits", json=application(), headers=registrar)
        assert answer.status_code == 201, answer.text
        return answer

    def write():
        return int(issue().headers["ledger-position"])

    write.permit = lambda: issue().json()["permit_number"]
    return write


def service_caller(http, role, **claims):
    token = http.post("/v1/dev/tokens", json={"role": role, **claims}).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def witnessed(http, size_min, log=""):
    """The newest checkpoint that is witnessed, as soon as it has so many leaves."""

    def note():
        answer = http.get(f"/tlog{log}/checkpoint/witnessed")
        if answer.status_code == 404:
            assert answer.headers["retry-after"]
            return None
        found = Note.of(answer.content)
        return found if TreeHead.of(found.text).size >= size_min else None

    until(note, wait_s=WAIT_S)
    return note()


def cosigned_by(note, witness):
    return note.verified([NoteVerifier.of(witness.key)])


def test_a_witness_that_does_not_know_the_log(http, write, witness, words):
    """It says 404, and is asked again later; the log goes on without."""
    position = write()
    until(lambda: f'"witness":"{witness.name}"' in words.read_text(), wait_s=WAIT_S)
    assert http.get("/tlog/checkpoint/witnessed").status_code == 404
    proof = http.get(f"/tlog/proof/{position}", headers={"prefer": "wait=10"})
    assert proof.status_code == 200


def test_checkpoints_are_cosigned(http, write, known, go):
    """With the witness's own key, as torchwood sees it too; it has the very same root."""
    size = write()
    note = witnessed(http, size)
    head = TreeHead.of(note.text)

    assert cosigned_by(note, known)
    assert (head.size, b64encode(head.root).decode()) == known.known(head.origin)
    assert [True] == go.ask(
        [json.dumps({"kind": "cosignature", "note": str(note), "key": known.key}) + "\n"]
    )


def test_other_logs_are_cosigned_by_themselves(http, known):
    """The trees of checks and of looks into the audit have origins of their own."""
    verifier = service_caller(http, "verifier")
    card = {"track": "physical", "permit_number": "320211000000", "card_serial": 1}
    body = {"scenario": "patrol_inspection", **card}
    assert http.post("/v1/verifications", json=body, headers=verifier).status_code == 200
    investigator = service_caller(http, "investigator", case="2026-DP-17")
    assert http.get("/v1/audit/reads", headers=investigator).status_code == 200

    for log in ("/checks", "/audit-reads"):
        note = witnessed(http, 1, log)
        assert TreeHead.of(note.text).origin.endswith(log)
        assert cosigned_by(note, known)


def test_proofs_prefer_what_is_witnessed(http, operator, write, known, go):
    """The newest witnessed checkpoint, though an older one would cover the position; under the
    policy that is published, torchwood believes it, and nothing less."""
    newest = TreeHead.of(witnessed(http, write()).text)
    text = http.get("/tlog/proof/1").text
    proof = TlogProof.of(text)
    entry = _entry(operator, newest.size, 0)
    policy = http.get("/tlog/policy").text
    asked = {"kind": "proof", "policy": policy, "entry": b64encode(entry).decode()}
    unseen = text.rpartition("— witness.example")[0]

    assert TreeHead.of(proof.checkpoint.text).size >= newest.size > 1
    assert WitnessPolicy.of(policy.encode()).is_witnessed(proof.checkpoint)
    assert [True, False] == go.ask(
        json.dumps({**asked, "proof": each}) + "\n" for each in (text, unseen)
    )


def test_evidence_goes_on_what_is_witnessed(http, write, known, tmp_path):
    """The verifier in the zip names the witness, whose key lies beside it."""
    number = write.permit()
    witnessed(http, write())
    investigator = service_caller(http, "investigator", case="2026-DP-17")
    packed = http.get(f"/v1/audit/permits/{number}/evidence", headers=investigator).content
    (tmp_path / "evidence.zip").write_bytes(packed)
    (tmp_path / "keys.txt").write_text(http.get("/tlog/keys").text)
    (tmp_path / "jwks.json").write_text(http.get("/.well-known/jwks.json").text)
    with zipfile.ZipFile(tmp_path / "evidence.zip") as archive:
        archive.extract("verify_evidence.py", tmp_path)
    ran = subprocess.run(
        [
            *(sys.executable, "-I", "verify_evidence.py", "evidence.zip"),
            *("--keys", "keys.txt", "--jwks", "jwks.json"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (0, "") == (ran.returncode, ran.stderr)
    assert f"by keys in the evidence also by {known.name}" in ran.stdout


def test_the_witness_has_forgotten_everything(http, write, known):
    """409 says 0: it is asked once more, without a proof."""
    head = TreeHead.of(witnessed(http, write()).text)
    known.remember(head.origin, 0, EMPTY_ROOT)

    assert cosigned_by(witnessed(http, write()), known)


def test_the_witness_remembers_an_older_tree(http, write, known):
    """409 says how large it was: the proof begins there."""
    first = witnessed(http, write())
    second = witnessed(http, write())
    older, newer = TreeHead.of(first.text), TreeHead.of(second.text)
    assert older.size < newer.size
    known.remember(older.origin, older.size, b64encode(older.root).decode())

    assert cosigned_by(witnessed(http, write()), known)


def test_the_service_starts_anew(http, service, write, known):
    """The service looks up what the witness has signed, and requests only what is new."""
    before = TreeHead.of(witnessed(http, write()).text)
    cosigned = _cosignatures(service)
    role = service.role("integrate")
    role.kill()
    until(lambda: not role.is_running() or role.status() == "zombie", wait_s=WAIT_S)

    note = witnessed(http, write())
    assert TreeHead.of(note.text).size > before.size
    assert _cosignatures(service)[: len(cosigned)] == cosigned
    again = [size for size in _cosignatures(service) if size == before.size]
    assert len(again) == 1


def test_a_witness_with_another_history(http, write, known, words):
    """It can't be convinced, cosigns nothing, and everything else goes on; once it is put right it
    cosigns again."""
    head = TreeHead.of(witnessed(http, write()).text)
    known.remember(head.origin, head.size, b64encode(bytes(32)).decode())
    said = words.read_text().count("it has answered with 422")
    position = write()
    until(lambda: words.read_text().count("it has answered with 422") > said, wait_s=WAIT_S)

    assert http.get(f"/tlog/proof/{position}").status_code == 200
    assert TreeHead.of(witnessed(http, 0).text).size < position
    known.remember(head.origin, head.size, b64encode(head.root).decode())
    assert cosigned_by(witnessed(http, position), known)


def test_a_witness_that_has_seen_more(http, write, known, words):
    """Than there is: what a database from a backup looks like. Nothing smaller is offered to it."""
    note = witnessed(http, write())
    head = TreeHead.of(note.text)
    known.remember(head.origin, head.size + 1000, b64encode(head.root).decode())
    write()
    reason = f"it has seen a tree of {head.size + 1000} leaves last"
    until(lambda: reason in words.read_text(), wait_s=WAIT_S)

    assert known.known(head.origin)[0] == head.size + 1000
    known.remember(head.origin, head.size, b64encode(head.root).decode())
    assert cosigned_by(witnessed(http, head.size + 1), known)


def test_a_line_that_is_no_signature(http, service, write, known):
    """By the database's owner: it says nothing and hides nothing, neither here nor to witnesses."""
    note = witnessed(http, write())
    service.execute(
        "INSERT INTO ledger.checkpoint_signatures (tree, size, line, is_cosignature)"
        f" VALUES ('events', {TreeHead.of(note.text).size}, 'no signature', true)"
    )

    assert Note.of(http.get("/tlog/checkpoint").content) == note
    assert Note.of(http.get("/tlog/checkpoint/witnessed").content) == note
    assert cosigned_by(witnessed(http, write()), known)


def test_status_says_how_old_the_newest_is(http, service, write, known, witness, monkeypatch):
    """For each witness and log, also for one that has never cosigned."""
    size = TreeHead.of(witnessed(http, write()).text).size
    policy = service.data_dir.parent / "policy"
    monkeypatch.setenv("PERMIT_LEDGER_WITNESS_POLICY", str(policy))
    sights = {(each["witness"], each["log"]): each for each in service.status()["witnesses"]}
    mine, lying = sights[witness.name, "events"], sights[LIAR.name, "events"]
    table = service.command("status").stdout

    assert mine["size"] >= size
    assert 0 <= mine["age_s"] < 600
    assert (lying["size"], lying["age_s"]) == (None, None)
    assert f"{witness.name}, events" in table
    assert "nothing cosigned yet" in table


def test_the_policy_is_published(http, known):
    """The log's key, the witnesses, the quorum; each log's own."""
    for log in LOGS:
        key = http.get(f"/tlog{log}/key").text.strip()
        policy = WitnessPolicy.of(http.get(f"/tlog{log}/policy").content)
        assert [key] == [str(each.key) for each in policy.logs]
        assert ["lite", "liar"] == [each.name for each in policy.witnesses]
        assert policy.quorum == "either"


def _entry(operator, size, index):
    width = min(size - index // 256 * 256, 256)
    partial = f".p/{width}" if width < 256 else ""
    bundle = operator.get(f"/tlog/tile/entries/{index // 256:03d}{partial}").content
    for _ in range(index % 256):
        bundle = bundle[2 + int.from_bytes(bundle[:2]) :]
    return bundle[2 : 2 + int.from_bytes(bundle[:2])]


def _cosignatures(service):
    """Sizes of the trees that were cosigned, in the order in which that was kept."""
    rows = service.rows(
        "SELECT size FROM ledger.checkpoint_signatures"
        " WHERE tree = 'events' AND is_cosignature ORDER BY number"
    )
    return [size for (size,) in rows]
