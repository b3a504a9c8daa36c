"""A log that was begun in format 1, whose entries name what they are about, and goes on in format
2: verifiers and a witness that others wrote take it for one log, and so do our commands."""

import os
from base64 import b64encode
from dataclasses import replace

import httpx
import pytest

from tests.api.conftest import free_port
from tests.api.service import Caller, Service
from tests.foreign.conftest import grow
from tests.foreign.follower import Fetched
from tests.foreign.litewitness import Litewitness
from tests.foreign.tamperings import flipped
from tests.waiting import until
from transparency.entries import is_commitment
from transparency.logs import LOGS
from transparency.notes import Note, NoteVerifier, TreeHead

pytestmark = pytest.mark.timeout(300)
LEAVES = 400
"""Of each format, about: the change is within a tile, and each format has a whole one."""
WAIT_S = 60
WITHOUT_SALTS = (
    "ALTER TABLE ledger.events ALTER COLUMN salt DROP DEFAULT;"
    " ALTER TABLE ledger.checks ALTER COLUMN salt DROP DEFAULT"
)
WITH_SALTS = (
    "ALTER TABLE ledger.events ALTER COLUMN salt SET DEFAULT ledger.new_salt();"
    " ALTER TABLE ledger.checks ALTER COLUMN salt SET DEFAULT ledger.new_salt()"
)


@pytest.fixture(scope="module")
def witness(make_data_dir):
    witness = Litewitness.start(make_data_dir() / "w", "witness.example/lite")
    yield witness
    witness.stop()


@pytest.fixture(scope="module")
def service(make_service_dir, witness):
    """Its witness has cosigned the log when it was all of format 1."""
    service = Service(make_service_dir(), free_port())
    policy = service.data_dir.parent / "policy"
    policy.write_text(f"witness lite {witness.key} {witness.url}\nquorum lite\n")
    service.launch(
        environment={
            **os.environ,
            "PERMIT_LEDGER_WITNESS_POLICY": str(policy),
            "PERMIT_LEDGER_WITNESS_INTERVAL_S": "0.2",
        }
    )
    service.wait_until_ready()
    for log in LOGS.values():
        witness.add_log(httpx.get(f"{service.url}/tlog{log.suffix}/key").text.strip())
    service.execute(WITHOUT_SALTS)
    grow(service, LEAVES, seed=1)
    witnessed(service)
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="module")
def older(service):
    """The last position of format 1."""
    [(position,)] = service.rows("SELECT max(position) FROM ledger.events WHERE salt IS NULL")
    return position


@pytest.fixture(scope="module")
def note(service, older):
    """The checkpoint of the whole log, cosigned."""
    service.execute(WITH_SALTS)
    grow(service, LEAVES, seed=2)
    return witnessed(service)


@pytest.fixture(scope="module")
def operator(service):
    """Who may read entries of format 1."""
    return service.caller("operator")


@pytest.fixture(scope="module")
def log(operator, note):
    return Fetched.at(operator, "/tlog")


def witnessed(service):
    """The checkpoint of all that is recorded, as soon as it is cosigned."""
    [(head,)] = service.rows("SELECT position FROM ledger.head")

    def found():
        answer = httpx.get(f"{service.url}/tlog/checkpoint/witnessed")
        if answer.status_code == 404:
            return None
        note = Note.of(answer.content)
        return note if TreeHead.of(note.text).size == head else None

    until(found, wait_s=WAIT_S)
    return found()


def test_entries_are_of_both_formats(log, older):
    """In the order in which they were recorded."""
    assert 256 < older < log.size - 256
    assert [at >= older for at in range(log.size)] == list(map(is_commitment, log.entries))


def test_every_leaf_is_accepted(go, sigstore, scitt, log, older):
    """And none of either format with another byte."""
    proofs = [log.inclusion(index) for index in range(log.size)]
    assert {True} == set(go.accept(proofs))
    assert {True} == set(sigstore.accept(proofs))
    assert {True} == set(scitt.accept_paths(proofs))
    false = [replace(each, entry=flipped(each.entry, 20)) for each in proofs[older - 1 : older + 1]]
    assert [False, False] == go.accept(false) == sigstore.accept(false) == scitt.accept_paths(false)


def test_it_only_grew(go, scitt, log, older):
    """From before the change to after it."""
    growths = [log.consistency(old) for old in (1, older - 1, older, older + 1, log.size)]
    assert {True} == set(go.accept_growth(growths))
    assert {True} == set(scitt.accept_growth(growths))


def test_torchwood_follows_it(go, service, operator, log):
    """With a token; a stranger doesn't get the entries that name permits."""
    url = f"{service.url}/tlog"
    followed, refused = go.follow(url, log.key, operator.token), go.follow(url, log.key)
    assert (f"{log.size}\n", "") == (followed.stdout, followed.stderr)
    assert 1 == refused.returncode
    assert "401" in refused.stderr


def test_the_witness_cosigns_across_the_change(service, witness, note, older):
    """Both checkpoints, with a proof from one to the other; it knows the newest by now."""
    head = TreeHead.of(note.text)
    cosigned = service.rows(
        "SELECT size FROM ledger.checkpoint_signatures WHERE tree = 'events' AND is_cosignature"
    )
    assert note.verified([NoteVerifier.of(witness.key)])
    assert {(older,), (head.size,)} <= set(cosigned)
    assert (head.size, b64encode(head.root).decode()) == witness.known(head.origin)


def test_our_commands_verify_it(service, note, tmp_path):
    """From the database, and from a copy alone."""
    verified = service.command("verify-log")
    assert 0 == verified.returncode, verified.stdout
    copied = service.command("copy-log", str(tmp_path / "copy"), "--entries")
    assert 0 == copied.returncode, copied.stdout
    keys = tmp_path / "keys"
    keys.write_text(httpx.get(f"{service.url}/tlog/keys").text)
    alone = Service(tmp_path / "nowhere", 0).command(
        "verify-log", "--tiles", str(tmp_path / "copy"), "--verifiers", str(keys)
    )
    assert 0 == alone.returncode, alone.stdout
    size = TreeHead.of(note.text).size
    assert f"events: {size:,} entries" in verified.stdout
    assert f"events: {size:,} entries" in alone.stdout


def test_a_stranger_reads_what_is_of_format_2(service, older, log):
    """A bundle without entries of format 1 is public."""
    with httpx.Client(base_url=service.url) as http:
        stranger = Caller(http)
        assert 401 == stranger.get("/tlog/tile/entries/000").status_code
        bundle = f"{log.size // 256:03d}.p/{log.size % 256}"
        assert log.size // 256 * 256 > older
        assert 200 == stranger.get(f"/tlog/tile/entries/{bundle}").status_code
