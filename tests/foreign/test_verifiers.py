"""Verifiers that others wrote accept what the service publishes, every leaf of it, and nothing that
was changed on the way."""

import random
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.service import Caller
from tests.foreign.follower import Fetched, served
from tests.foreign.tamperings import GROWTHS, NOTES, PROOFS, SIZES, STRANGER, flipped
from tests.waiting import until

pytestmark = pytest.mark.timeout(1200)
SERVED = 100
"""Proofs that are fetched one by one."""
SOME = 5
"""Checks, and looks into the audit."""
WAIT_S = 60


@pytest.fixture(scope="module")
def proofs(log):
    """Of every leaf, out of the tiles that were fetched."""
    return [log.inclusion(index) for index in range(log.size)]


@pytest.fixture(scope="module")
def others(log_service, http, log):
    """The logs of checks, manifests and audit reads, with some leaves each."""
    card = {"track": "physical", "permit_number": "320211000000", "card_serial": 1}
    check = {"scenario": "patrol_inspection", **card}
    verifier = log_service.caller("verifier")
    investigator = log_service.caller("investigator", case="2026-DP-17")
    for _ in range(SOME):
        assert verifier.post("/v1/verifications", check).status_code == 200
        assert investigator.get("/v1/audit/reads").status_code == 200
    # Evidence asks for a manifest.
    [(number,)] = log_service.rows("SELECT stream FROM ledger.events LIMIT 1")
    path = f"/v1/audit/permits/{number}/evidence"
    assert investigator.get(path).status_code == 200
    wanted = {"checks": SOME, "manifests": 1, "audit-reads": SOME + 1}
    for name, size in wanted.items():
        until(lambda name=name, size=size: _signed(log_service, name) >= size, wait_s=WAIT_S)
    unders = [f"/tlog/{name}" for name in wanted]
    return {under: Fetched.at(Caller(http), under) for under in unders}


def _signed(service, tree):
    """The size of the newest checkpoint."""
    [(size,)] = service.rows("SELECT max(size) FROM ledger.checkpoints WHERE tree = %s", tree)
    return size or 0


@pytest.fixture(scope="module")
def one(log):
    """Of a leaf in the middle, with a path of many hashes."""
    claim = log.inclusion(log.size // 3)
    assert len(claim.path) > 5
    return claim


@pytest.fixture(scope="module")
def growth(log):
    claim = log.consistency(log.size * 2 // 3 | 1)
    assert len(claim.path) > 5
    return claim


@pytest.fixture(scope="module")
def growths(log):
    """From sizes all over the log, and around the powers of two."""
    powers = [1 << power for power in range(log.size.bit_length())]
    sizes = {near for power in powers for near in (power - 1, power, power + 1)}
    sizes |= set(range(1, log.size, max(log.size // 300, 1))) | {log.size}
    return [log.consistency(old) for old in sorted(sizes) if 0 < old <= log.size]


def test_torchwood_follows_the_log(log_service, log, go):
    """A stranger's client of tlog-tiles reads checkpoint, entries and tiles over HTTP: every entry
    is its leaf, all of them have the root that is signed, and each has a proof."""
    run = go.follow(f"{log_service.url}/tlog", log.key)
    assert run.stderr == ""
    assert f"{log.size}\n" == run.stdout


@pytest.mark.parametrize("under", ["/tlog/checks", "/tlog/manifests", "/tlog/audit-reads"])
def test_the_other_logs(log_service, others, go, sigstore, scitt, under):
    """Each is followed, and each of its leaves proved, as those of the log of events."""
    log = others[under]
    run = go.follow(f"{log_service.url}{under}", log.key)
    assert run.stderr == ""
    assert f"{log.size}\n" == run.stdout

    proofs = [log.inclusion(index) for index in range(log.size)]
    assert {True} == set(go.accept(proofs))
    assert {True} == set(sigstore.accept(proofs))
    assert {True} == set(scitt.accept_paths(proofs))
    growths = [log.consistency(old) for old in range(1, log.size + 1)]
    assert {True} == set(go.accept_growth(growths))
    assert {True} == set(scitt.accept_growth(growths))


def test_go_accepts_every_leaf(go, proofs):
    """The proof with its checkpoint, as one text."""
    assert {True} == set(go.accept(proofs))


def test_sigstore_accepts_every_leaf(sigstore, proofs):
    """Checkpoint and path, as of an entry in Rekor."""
    assert {True} == set(sigstore.accept(proofs))


def test_scitt_accepts_every_leaf(scitt, cose, proofs):
    """The path in a COSE receipt."""
    assert {True} == set(scitt.accept(map(cose.receipt, proofs)))


def test_proofs_that_the_service_makes(http, log, go, sigstore, scitt):
    """Under the checkpoints that it chooses."""
    positions = random.Random(7).sample(range(1, log.size + 1), SERVED)  # noqa: S311
    claims = [served(http, "/tlog", log, position) for position in [1, *positions, log.size]]
    assert {True} == set(go.accept(claims))
    assert {True} == set(sigstore.accept(claims))
    assert {True} == set(scitt.accept_paths(claims))


def test_consistency_of_every_size_is_accepted(go, scitt, growths):
    """The log as it is begins with the log as it was, at every size."""
    assert {True} == set(go.accept_growth(growths))
    assert {True} == set(scitt.accept_growth(growths))


@pytest.mark.parametrize("how", PROOFS)
def test_no_verifier_accepts_another_proof(go, sigstore, scitt, cose, one, how):
    false = PROOFS[how](one)
    assert [True, False] == go.accept([one, false])
    assert [True, False] == go.accept_paths([one, false])
    assert [True, False] == sigstore.accept([one, false])
    assert [True, False] == scitt.accept_paths([one, false])
    assert [True, False] == scitt.accept([cose.receipt(one), cose.receipt(false)])


@pytest.mark.parametrize("how", SIZES)
def test_no_verifier_accepts_a_path_in_another_tree(go, scitt, cose, one, how):
    false = SIZES[how](one)
    assert [True, False] == go.accept_paths([one, false])
    assert [True, False] == scitt.accept_paths([one, false])
    # A receipt is over the root that was signed, whatever is said of it beside.
    signed = cose.receipt(one)
    shown = cose.receipt(replace(false, root=one.root if "size" in how else false.root))
    assert [True, False] == scitt.accept([signed, shown])


@pytest.mark.parametrize("how", NOTES)
def test_no_verifier_accepts_another_checkpoint(go, sigstore, one, how):
    false = NOTES[how](one)
    assert [True, False] == go.accept([one, false])
    assert [True, False] == sigstore.accept([one, false])
    assert [True, False] == go.ask(each.question(kind="checkpoint") for each in (one, false))


def test_scitt_accepts_no_other_receipt(scitt, cose, one):
    """Another bit of the signature, another key, or another issuer under the same signature."""
    true = cose.receipt(one)
    stranger = Ed25519PrivateKey.from_private_bytes(STRANGER).public_key()
    pem = stranger.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    issuer = one.key.partition("+")[0].encode()
    assert true.message.count(issuer) == 1
    assert [True, False, False, False] == scitt.accept(
        [
            true,
            replace(true, message=flipped(true.message, len(true.message) - 1)),
            replace(true, public_pem=pem),
            replace(true, message=true.message.replace(issuer, flipped(issuer, 3))),
        ]
    )


@pytest.mark.parametrize("how", GROWTHS)
def test_no_verifier_accepts_another_consistency_proof(go, scitt, growth, how):
    false = GROWTHS[how](growth)
    assert [True, False] == go.accept_growth([growth, false])
    assert [True, False] == scitt.accept_growth([growth, false])
