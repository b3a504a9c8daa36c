"""The transparency log over HTTP: what is public, and what writers receive."""

import base64
import hashlib
import json
import time

import pytest

from transparency.entries import check_entry
from transparency.merkle import check_consistency, leaf_hash
from transparency.notes import Note, NoteVerifier, TreeHead
from transparency.proof_text import TlogProof

LOGS = ["", "/checks", "/manifests", "/audit-reads"]


@pytest.fixture
def keys(http):
    """Verifier keys by the log's path."""
    return {log: NoteVerifier.of(http.get(f"/tlog{log}/key").text.split()[0]) for log in LOGS}


@pytest.fixture
def proof_of(http):
    """``proof_of(position)``: the inclusion proof, as soon as it exists."""

    def proof_of(position, log=""):
        answer = http.get(f"/tlog{log}/proof/{position}", headers={"prefer": "wait=10"})
        assert answer.status_code == 200, answer.text
        return TlogProof.of(answer.text)

    return proof_of


def entries(http, log, index):
    """All entries of the bundle that has leaf ``index``, by their indexes."""
    head = TreeHead.of(Note.of(http.get(f"/tlog{log}/checkpoint").content).text)
    bundle = index // 256
    width = min(head.size - bundle * 256, 256)
    partial = f".p/{width}" if width < 256 else ""
    content = http.get(f"/tlog{log}/tile/entries/{bundle:03d}{partial}").content
    found, at = {}, bundle * 256
    while content:
        length = int.from_bytes(content[:2])
        found[at], content, at = content[2 : 2 + length], content[2 + length :], at + 1
    assert len(found) == width
    return found


def test_a_write_returns_its_leaf_and_a_receipt(
    http, registrar, application, keys, proof_of, signed_claims
):
    """The leaf is soon in the tree under a signature, and is the hash of the entry."""
    issued = registrar.post("/v1/permits", application())
    position = int(issued.headers["ledger-position"])
    leaf = bytes.fromhex(issued.headers["ledger-leaf-hash"])
    claims = signed_claims(issued.headers["ledger-promise"], "permit-append-promise+jwt")

    assert claims["position"] == position
    assert claims["leaf_hash"] == leaf.hex()
    assert claims["origin"] == keys[""].name
    assert claims["integrated_by"] > time.time()

    proof = proof_of(position)
    head = proof.check(leaf, keys[""].name, [keys[""]])
    assert head.size >= position
    entry = entries(http, "", position - 1)[position - 1]
    assert leaf_hash(entry) == leaf
    details = base64.b64decode(issued.headers["ledger-leaf-details"])
    assert json.loads(entry)["commitment"] == hashlib.sha256(details).hexdigest()
    assert json.loads(details)["stream"] == issued.json()["permit_number"]
    assert json.loads(details)["topic"] == "permit.issued.v1"


def test_a_retry_returns_the_same_leaf(registrar, application):
    body = application()
    first = registrar.post("/v1/permits", body, idempotency_key="leaf-1")
    again = registrar.post("/v1/permits", body, idempotency_key="leaf-1")

    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["ledger-leaf-hash"] == first.headers["ledger-leaf-hash"]


def test_other_responses_have_no_leaf(registrar, application):
    """A search has a position too; a refusal has none."""
    body = application()
    registrar.post("/v1/permits", body)
    number = body["holder"]["citizen_id_number"]
    search = registrar.post("/v1/permits/searches", {"citizen_id_number": number})
    refused = registrar.post("/v1/permits", body)

    assert (search.status_code, refused.status_code) == (200, 409)
    assert "ledger-promise" not in search.headers
    assert "ledger-promise" not in refused.headers


def test_a_permits_entries_are_a_chain(caller, registrar, application, proof_of, subtests):
    """As those are shown who may see the permit; the holder sees the own permit alone."""
    issued = registrar.post("/v1/permits", application())
    path = f"/v1/permits/{issued.json()['permit_number']}"
    lost = registrar.post(f"{path}/loss-reports")
    proof_of(int(lost.headers["ledger-position"]))
    answer = registrar.get(f"{path}/log-entries").json()
    first, second = answer["entries"]

    assert issued.headers["ledger-leaf-hash"] == first["leaf_hash"]
    assert base64.b64decode(issued.headers["ledger-leaf-details"]).decode() == first["details"]
    assert first["leaf_hash"] == json.loads(second["details"])["previous"]
    assert (2, None) == (second["version"], answer["next_after"])
    pages = [registrar.get(f"{path}/log-entries", limit=1, after=n).json() for n in (0, 1)]
    assert [[first], [second]] == [page["entries"] for page in pages]
    for holder, status in ((issued.json()["holder_id"], 200), ("somebody", 404)):
        with subtests.test(holder=holder):
            own = caller("holder", holder_id=holder).get(f"{path}/log-entries")
            assert status == own.status_code
    for role in ("verifier", "operator"):
        assert 403 == caller(role).get(f"{path}/log-entries").status_code


def test_checks_have_a_tree_of_their_own(service, verifier, issue, keys, proof_of):
    """So that a removed check is detected."""
    permit = issue()
    body = {"scenario": "patrol_inspection", "track": "physical", "card_serial": 1}
    checked = verifier.post("/v1/verifications", {**body, "permit_number": permit["permit_number"]})
    query = "SELECT position, check_id, state, salt FROM ledger.checks WHERE check_id = %s"
    [row] = service.rows(query, checked.json()["check_id"])
    proof = proof_of(row[0], "/checks")

    leaf = leaf_hash(check_entry(*row))
    assert proof.check(leaf, keys["/checks"].name, [keys["/checks"]]).size >= row[0]


def test_checkpoints_follow_from_each_other(http, registrar, application, keys, proof_of):
    """As shown by the tiles of the later one alone."""
    before = Note.of(http.get("/tlog/checkpoint").content)
    position = int(registrar.post("/v1/permits", application()).headers["ledger-position"])
    proof_of(position)
    after = Note.of(http.get("/tlog/checkpoint").content)
    for note in (before, after):
        assert note.verified([keys[""]])
    old, new = TreeHead.of(before.text), TreeHead.of(after.text)
    tile = http.get(f"/tlog/tile/0/000.p/{new.size}" if new.size < 256 else "/tlog/tile/0/000")
    leaves = [tile.content[at : at + 32] for at in range(0, len(tile.content), 32)]

    assert new.size >= position > 0
    if new.size < 256:
        path = _path(leaves, old.size)
        check_consistency(old.size, old.root, new.size, new.root, path)


def _path(leaves, old):
    """RFC 6962 §2.1.2, word for word, over hashes of leaves."""

    def root(part):
        if len(part) == 1:
            return part[0]
        k = 1 << (len(part) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + root(part[:k]) + root(part[k:])).digest()

    def subproof(m, part, whole):
        if m == len(part):
            return [] if whole else [root(part)]
        k = 1 << (len(part) - 1).bit_length() - 1
        if m <= k:
            return [*subproof(m, part[:k], whole), root(part[k:])]
        return [*subproof(m - k, part[k:], False), root(part[:k])]

    return subproof(old, leaves, True) if 0 < old < len(leaves) else []


def test_an_unknown_tile_or_entry_is_a_problem(subtests, http):
    for path in [
        "/tlog/tile/0/x999/999",
        "/tlog/tile/0/000.p/0",
        "/tlog/tile/0/000.p/256",
        "/tlog/tile/0/000.p/01",
        "/tlog/tile/00/000",
        "/tlog/tile/64/000",
        "/tlog/tile/-1/000",
        "/tlog/tile/0/0",
        "/tlog/tile/0/x000/000",
        "/tlog/tile/0/" + "x999/" * 30 + "999",
        "/tlog/tile/data/000",
        "/tlog/tile/0/%30%30%30%20",
        "/tlog/proof/999999999",
        "/tlog/witness",
    ]:
        with subtests.test(path=path):
            answer = http.get(path)

            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_bundle_is_a_problem(subtests, http):
    for path in ["x001/000", "0", "000.p/256", "", "x999/" * 30 + "999"]:
        with subtests.test(path=path):
            answer = http.get(f"/tlog/tile/entries/{path}")

            assert (404, "NOT_FOUND") == (answer.status_code, answer.json()["code"])


def test_an_invalid_position_is_refused(subtests, http):
    for position in ["0", "-1", "x", str(2**63), "1.5"]:
        with subtests.test(position=position):
            assert http.get(f"/tlog/proof/{position}").status_code == 422


def test_an_invalid_wait_does_not_block(subtests, http):
    for prefer in [
        *("wait=0", "wait=-5", "wait=x", "respond-async", "wait=99999999", "wait", ""),
        *('a="b, wait=9"', "a; wait=9", 'wait="0", wait=9', "x" * 3000),
    ]:
        with subtests.test(prefer=prefer):
            started = time.monotonic()
            assert http.get("/tlog/proof/999999999", headers={"prefer": prefer}).status_code == 404
            assert time.monotonic() - started < 10


def bundle_of_one(http, log=""):
    """The path of a bundle with the first entry."""
    partial = http.get(f"/tlog{log}/tile/0/000.p/1").status_code == 200
    return f"/tlog{log}/tile/entries/000" + (".p/1" if partial else "")


def test_entries_are_public_and_name_nothing(subtests, http, caller, issue, check, proof_of):
    """No permit, no receipt, no kind of event, no instant."""
    permit = issue()
    check(permit["permit_number"])
    proof_of(permit["as_of_position"])
    caller("investigator", case="A-15").get("/v1/audit/reads")
    for log in LOGS:
        proof_of(1, log)
        answer = http.get(bundle_of_one(http, log))
        entry = json.loads(answer.content[2 : 2 + int.from_bytes(answer.content[:2])])
        with subtests.test(log=log):
            assert "immutable" in answer.headers["cache-control"]
            members = {"log_root", "log_size", "map_root"} if "manifests" in log else None
            assert (members or {"commitment", "position"}) == entry.keys()
            assert permit["permit_number"].encode() not in answer.content


@pytest.fixture
def of_format_1(service):
    """While the first event has no salt, as if it had been recorded before there were any."""
    [(salt,)] = service.rows("SELECT salt FROM ledger.events WHERE position = 1")
    change = (
        "ALTER TABLE ledger.events DISABLE TRIGGER append_only;"
        " UPDATE ledger.events SET salt = {} WHERE position = 1;"
        " ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only"
    )
    service.execute(change.format("NULL"))
    yield
    service.execute(change.format(f"'\\x{salt.hex()}'"))


def test_entries_that_name_permits_are_for_those_who_audit_or_operate(
    subtests, http, caller, issue, proof_of, of_format_1
):
    """No one else gets them, however the address is spelt."""
    proof_of(issue()["as_of_position"])
    bundle = bundle_of_one(http).removeprefix("/tlog/tile/entries/")
    for path in (f"tile/entries/{bundle}", f"tile//entries/{bundle}", f"tile/ENTRIES/{bundle}"):
        with subtests.test(path=path):
            assert http.get(f"/tlog/{path}").status_code in {401, 404}
    for role in ("registrar", "verifier", "holder"):
        with subtests.test(role=role):
            claims = {"holder_id": "somebody"} if role == "holder" else {}
            assert 403 == caller(role, **claims).get(f"/tlog/tile/entries/{bundle}").status_code
    for role in ("investigator", "operator"):
        with subtests.test(role=role):
            answer = caller(role, case="A-16").get(f"/tlog/tile/entries/{bundle}")
            assert 200 == answer.status_code
            assert "private" in answer.headers["cache-control"]
            assert "access-control-allow-origin" not in answer.headers


def test_a_look_at_such_entries_is_recorded_in_its_case(
    http, service, caller, issue, proof_of, of_format_1
):
    """An operator, who copies the log as a whole, leaves none."""
    proof_of(issue()["as_of_position"])
    [(before,)] = service.rows("SELECT coalesce(max(position), 0) FROM ledger.audit_reads")
    path = bundle_of_one(http)
    assert 403 == caller("investigator").get(path).status_code
    assert 200 == caller("investigator", case="A-17").get(path).status_code
    assert 404 == caller("investigator", case="A-17").get("/tlog/tile/entries/999").status_code
    assert 200 == caller("operator").get(path).status_code

    looks = service.rows(
        "SELECT case_number, outcome, parameters ->> 'tile' FROM ledger.audit_reads"
        " WHERE what = 'events_entries' AND position > %s ORDER BY position",
        before,
    )
    tile = path.removeprefix("/tlog/tile/entries/")
    assert [(None, "refused", tile), ("A-17", "answered", tile)] == looks


def test_immutable_resources_may_be_cached(http, issue, proof_of):
    permit = issue()
    proof_of(permit["as_of_position"])
    checkpoint = http.get("/tlog/checkpoint")
    tile = http.get("/tlog/tile/0/000.p/1")
    if tile.status_code == 404:
        tile = http.get("/tlog/tile/0/000")

    assert "immutable" in tile.headers["cache-control"]
    assert checkpoint.headers["cache-control"] == "public, max-age=1"
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert tile.headers["content-type"] == "application/octet-stream"


def test_all_verifier_keys_are_listed(http, keys):
    lines = http.get("/tlog/keys").text.split()

    assert {str(key) for key in keys.values()} <= set(lines)
    assert all(base64.b64decode(line.split("+", 2)[2])[0] == 1 for line in lines)
