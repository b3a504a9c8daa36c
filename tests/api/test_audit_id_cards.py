"""The investigator's reads of an application: as for permits, recorded and provable."""

import io
import json
import subprocess
import sys
import zipfile

import pytest

A = "/v1/audit/id-card-applications"


@pytest.fixture
def verify(http, tmp_path):
    """``verify(zip)``: exit code and what was said."""

    def verify(packed):
        (tmp_path / "evidence.zip").write_bytes(packed)
        (tmp_path / "keys.txt").write_text(http.get("/tlog/keys").text)
        (tmp_path / "jwks.json").write_text(http.get("/.well-known/jwks.json").text)
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
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
        return ran.returncode, ran.stdout + ran.stderr

    return verify


def test_the_history_lists_the_changes(investigator, arrived):
    application = arrived()
    answer = investigator.get(f"{A}/{application['receipt_number']}/events")
    events = answer.json()["events"]

    assert answer.status_code == 200
    assert [event["version"] for event in events] == [1, 2, 3, 4, 5]
    changed = {change["field"]: change for change in events[1]["changes"]}
    assert (changed["stage"]["from"], changed["stage"]["to"]) == (
        "accepted",
        "sent_to_hukou_police",
    )
    assert "applicant.name" in {change["field"] for change in events[0]["changes"]}
    assert all(event["actor"] and event["station"] for event in events)


def test_evidence_of_an_application_verifies(investigator, arrived, verify):
    application = arrived()
    answer = investigator.get(f"{A}/{application['receipt_number']}/evidence")
    assert answer.status_code == 200, answer.text
    code, said = verify(answer.content)

    assert code == 0, said
    assert "id-card.arrived.v1" in said


def test_evidence_of_an_application_opens_fields(investigator, accept, verify):
    """The applicant's name, proved, and nothing else."""
    path = f"{A}/{accept()['receipt_number']}/evidence"
    answer = investigator.get(path, disclose="name")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        [disclosures] = (name for name in archive.namelist() if name.startswith("disclosures/"))
        opened = [json.loads(line)[1:] for line in archive.read(disclosures).splitlines()]

    assert opened == [["identity.name", "欧阳测试"]]
    code, said = verify(answer.content)
    assert code == 0, said
    assert " 1 more were sealed there and are opened" in said
    assert investigator.get(path, disclose="salary").status_code == 422


def test_an_erased_applicant_is_not_named(investigator, accept, verify, erase):
    application = accept()
    name = "欧阳测试"
    before = investigator.get(f"{A}/{application['receipt_number']}/evidence").content
    erase(application)
    after = investigator.get(f"{A}/{application['receipt_number']}/evidence").content
    history = investigator.get(f"{A}/{application['receipt_number']}/events").json()

    assert name not in json.dumps(history, ensure_ascii=False)
    with zipfile.ZipFile(io.BytesIO(after)) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    assert name.encode() not in b"".join(files.values())
    assert verify(before)[0] == verify(after)[0] == 0


def test_audit_reads_are_recorded(investigator, supervisor, registrar, accept):
    number = accept()["receipt_number"]
    assert investigator.get(f"{A}/{number}/events").status_code == 200
    assert registrar.get(f"{A}/{number}/events").status_code == 403
    assert investigator.get(f"{A}/{'0' * 16}/events").status_code == 404
    reads = supervisor.get("/v1/audit/reads", subject=number).json()["reads"]

    assert {(read["what"], read["outcome"]) for read in reads} == {
        ("application_events", "answered"),
        ("application_events", "refused"),
    }
