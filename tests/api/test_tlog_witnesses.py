"""Without a witness policy, its endpoints report that, and everything else works."""

import pytest

from tests import commands
from transparency.notes import NoteVerifier
from transparency.witness.policy import WitnessPolicy

LOGS = ["", "/checks", "/manifests"]


def test_without_a_policy_no_witness_is_listed(subtests, http):
    """404, not to be cached: a policy may be configured later."""
    for log in LOGS:
        with subtests.test(log=log):
            answer = http.get(f"/tlog{log}/checkpoint/witnessed")
            assert (404, "NOT_FOUND") == (answer.status_code, answer.json()["code"])
            assert answer.headers["retry-after"] == "1"


def test_without_witnesses_the_policy_requires_only_the_logs_signature(subtests, http):
    for log in LOGS:
        with subtests.test(log=log):
            answer = http.get(f"/tlog{log}/policy")
            policy = WitnessPolicy.of(answer.content)
            keys = [NoteVerifier.of(line) for line in http.get(f"/tlog{log}/key").text.splitlines()]

            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            assert keys == [each.key for each in policy.logs]
            assert ((), None) == (policy.witnesses, policy.quorum)


def test_status_names_no_witness(service):
    assert service.status()["witnesses"] == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"quorum nobody\n", "line 1 of the policy"),
        (b"\xff", "not ended"),
        (None, "No such file"),
    ],
    ids=["no policy", "no text", "no file"],
)
@pytest.mark.parametrize("role", ["api", "integrate"])
def test_a_role_does_not_start_with_an_invalid_policy(
    tmp_path, empty_database, role, content, said
):
    """A sentence names the fault."""
    file = tmp_path / "policy"
    if content is not None:
        file.write_bytes(content)
    environment = {
        "PERMIT_LEDGER_DATABASE_URL": empty_database,
        "PERMIT_LEDGER_DEVELOPMENT": "true",
        "PERMIT_LEDGER_WITNESS_POLICY": str(file),
    }
    run = commands.permit_ledger(tmp_path, environment, role)

    assert run.returncode == 1
    assert said in run.stderr
    assert "Traceback" not in run.stderr
