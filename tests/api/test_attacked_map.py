"""The map of last events, changed by the database's owner: evidence says no more than is proved,
and ``verify-log`` names what was done."""

import io
import json
import secrets
import subprocess
import sys
import zipfile
from pathlib import Path

import psycopg
import pytest

from domain import permit_number
from transparency.last_events import key_of
from transparency.prefix_tree import EMPTY, Leaf, changed, decoded, encoded

TILES = "ledger.last_events_tiles"
EMPTIED = (
    "TRUNCATE ledger.last_events_tiles;"
    " UPDATE ledger.last_events SET position = 0, root = decode(repeat('00', 32), 'hex')"
)
"""As docs/operations.md says."""


@pytest.fixture
def verified(running, tmp_path):
    """``verified(permit)``: of its evidence the verifier's exit code and output, and the files."""
    investigator = running.caller("investigator", case="2026-DP-17")
    (tmp_path / "keys").write_text(investigator.get("/tlog/keys").text)
    (tmp_path / "jwks").write_text(investigator.get("/.well-known/jwks.json").text)
    script = str(Path("tools/verify_evidence.py").resolve())

    def verified(permit):
        answer = investigator.get(f"/v1/audit/permits/{permit['permit_number']}/evidence")
        assert answer.status_code == 200, answer.text
        (tmp_path / "evidence.zip").write_bytes(answer.content)
        ran = subprocess.run(
            [sys.executable, "-I", script, "evidence.zip", "--keys", "keys", "--jwks", "jwks"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ran.returncode, ran.stdout, zipfile.ZipFile(io.BytesIO(answer.content))

    return verified


def leave_out(service, permit_number):
    """Make the map again without a permit, and its root."""
    with psycopg.connect(service.database_url) as owner:
        slots = [
            slot
            for (tile,) in owner.execute(f"SELECT slots FROM {TILES}")
            for slot in decoded(tile).values()
        ]
        leaves = {slot.key: slot.value for slot in slots if isinstance(slot, Leaf)}
        del leaves[key_of(permit_number)]
        root, tiles = changed(leaves, EMPTY, lambda _: {})
        owner.execute(f"DELETE FROM {TILES}")
        for path, own in tiles.items():
            owner.execute(f"INSERT INTO {TILES} VALUES (%s, %s)", [path, encoded(own)])
        owner.execute("UPDATE ledger.last_events SET root = %s", [root])


def test_a_map_that_proves_nothing_says_nothing(running, application):
    """Neither that a number is free, nor that something is recorded under it."""
    registrar = running.caller("registrar", station="320211-01")
    permit = registrar.post("/v1/permits", application()).json()
    unknown = permit_number.draw(secrets.randbits)
    paths = [f"/v1/permits/{number}/absence" for number in (unknown, permit["permit_number"])]
    assert [200, 409] == [registrar.get(path).status_code for path in paths]

    running.execute(f"UPDATE {TILES} SET slots = set_byte(slots, 67, get_byte(slots, 67) # 1)")

    assert [503, 503] == [registrar.get(path).status_code for path in paths]


def test_a_permit_that_was_left_out(running, application, verified):
    """The log signs the next manifest of the map without it. Evidence of the permit comes without a
    manifest, and does not hold; that of others does."""
    registrar = running.caller("registrar", station="320211-01")
    hidden, other = (registrar.post("/v1/permits", application()).json() for _ in range(2))
    for permit in (hidden, other):
        code, said, _ = verified(permit)
        assert 0 == code, said

    leave_out(running, hidden["permit_number"])
    path = f"/v1/permits/{other['permit_number']}/loss-reports"
    assert registrar.post(path).status_code in {200, 201}

    code, said, files = verified(other)
    assert 0 == code, said
    assert 3 == json.loads(files.read("manifest/entry.json"))["log_size"]
    code, said, files = verified(hidden)
    assert 1 == code, said
    assert "that these are all events is not shown" in said
    assert "manifest/row.json" not in files.namelist()
    found = running.command("verify-log")
    assert 1 == found.returncode
    assert f"the map of last events lacks {hidden['permit_number']}" in found.stdout
    assert "has another root of last events than the log makes" in found.stdout


def test_a_map_that_was_damaged(running, application, verified):
    """Nothing is built upon it: no manifest is made, and evidence comes without one. Emptied by the
    owner, it is made again from the log."""
    registrar = running.caller("registrar", station="320211-01")
    permit = registrar.post("/v1/permits", application()).json()
    assert 0 == verified(permit)[0]

    running.execute(f"UPDATE {TILES} SET slots = set_byte(slots, 40, get_byte(slots, 40) # 1)")
    path = f"/v1/permits/{permit['permit_number']}/loss-reports"
    assert registrar.post(path).status_code in {200, 201}

    code, said, files = verified(permit)
    assert 1 == code, said
    assert "manifest/row.json" not in files.namelist()
    unknown = permit_number.draw(secrets.randbits)
    answer = registrar.get(f"/v1/permits/{unknown}/absence")
    assert 503 == answer.status_code, answer.text
    assert [(1,)] == running.rows("SELECT max(position) FROM ledger.manifests")
    found = running.command("verify-log")
    assert 1 == found.returncode
    assert f"the map of last events has another one of {permit['permit_number']}" in found.stdout

    running.execute(EMPTIED)
    path = f"/v1/permits/{permit['permit_number']}/reissues"
    assert registrar.post(path).status_code in {200, 201}

    code, said, _ = verified(permit)
    assert 0 == code, said
    found = running.command("verify-log")
    assert 0 == found.returncode, found.stdout
