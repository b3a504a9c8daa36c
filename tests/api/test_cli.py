"""The command line beside a running service: token, status, demo, up."""

import httpx
import pytest

from tests import commands


@pytest.fixture
def permit_ledger(tmp_path):
    """``permit_ledger("demo", …)`` in a folder of its own, with settings from the environment."""

    def run(*arguments, **environment):
        return commands.permit_ledger(tmp_path, environment, *arguments)

    return run


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["registrar", "--station", "320213-07"], "/v1/permits/000000000000"),
        (["holder", "--holder", "nobody"], "/v1/me/permit"),
    ],
)
def test_token_prints_a_token_that_the_service_accepts(service, http, arguments, path):
    """Nothing else on standard output."""
    run = service.command("token", *arguments)

    assert (0, 1) == (run.returncode, len(run.stdout.split()))
    answer = http.get(path, headers={"Authorization": f"Bearer {run.stdout.strip()}"})
    assert "UNKNOWN_PERMIT" == answer.json()["code"]


def test_a_verifiers_token_names_its_scenarios(service, http, issue):
    """It allows no others."""
    run = service.command("token", "verifier", "--scenario", "patrol_inspection")
    headers = {"Authorization": f"Bearer {run.stdout.strip()}"}
    card = {"track": "physical", "permit_number": issue()["permit_number"], "card_serial": 1}

    outcomes = [
        http.post("/v1/verifications", json={"scenario": s, **card}, headers=headers).json()
        for s in ("patrol_inspection", "law_enforcement")
    ]

    assert [None, "scenario_not_allowed"] == [found["reason"] for found in outcomes]


def test_a_holders_token_needs_a_holder(service):
    """A usage error, with a sentence."""
    run = service.command("token", "holder")

    assert 2 == run.returncode
    assert "--holder" in run.stderr


def test_status_prints_the_figures_of_the_service(service, http, issue, read):
    """Positions, permits and checks, as one JSON object."""
    read(issue())

    status = service.status()

    ready = http.get("/readyz").json()
    assert ready["log_position"] == status["log_position"]
    assert ready["views_position"] == status["views_position"]
    assert [(status["permits"],)] == service.rows("SELECT count(*) FROM views.physical_permits")
    assert [(status["checks"],)] == service.rows("SELECT count(*) FROM ledger.checks")


def test_status_on_a_screen(service):
    """The same figures for people."""
    run = service.command("status")

    assert 0 == run.returncode
    assert "in step" in run.stdout


def test_demo_runs_all_commands_of_a_permit_and_shows_both_views(service, permit_ledger):
    """Every step with both tracks, the checks, and the new position."""
    before = service.status()["log_position"]

    run = permit_ledger("demo", "--url", service.url)

    assert (0, "") == (run.returncode, run.stderr)
    for step in ("办证", "申领电子证", "签注", "挂失", "补领", "注销"):
        assert step in run.stdout
    assert 6 == run.stdout.count("实体 physical") == run.stdout.count("电子 electronic")
    for reason in ("reported_lost", "superseded_card", "ended"):
        assert f"not_effective ({reason})" in run.stdout
    assert before + 6 == service.status()["log_position"]


def test_demo_without_a_service_reports_that(permit_ledger, make_service):
    """A sentence and exit code 1."""
    run = permit_ledger("demo", "--url", make_service().url)

    assert 1 == run.returncode
    assert "no service answers" in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("up", "PORT", "many"),
        ("up", "ISSUER", "https://issuer.example"),
        ("status", "LOG_LEVEL", "loud"),
        ("status", "DATABASE_CONNECTIONS_MAX", "100000"),
    ],
)
def test_settings_that_cannot_be_used_are_named(permit_ledger, command, name, value):
    """Exit code 2, and which one it is."""
    run = permit_ledger(command, **{f"PERMIT_LEDGER_{name}": value})

    assert 2 == run.returncode
    assert name.lower() in run.stderr.lower()
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--clock", "tomorrow"],
        ["up", "--port", "0"],
        ["token", "mayor"],
        ["nothing"],
    ],
)
def test_invalid_arguments_are_usage_errors(permit_ledger, arguments):
    """Exit code 2 and a usage line."""
    run = permit_ledger(*arguments)

    assert 2 == run.returncode
    assert "Usage" in run.stderr
    assert "Traceback" not in run.stderr


def test_up_starts_with_the_given_clock(make_service):
    """Time continues from there, across a restart."""
    service = make_service().start("--clock", "2031-05-06T09:00:00")
    assert httpx.get(f"{service.url}/v1/dev/clock").json()["now"].startswith("2031-05-06T01:0")
    service.stop()

    service.start()

    assert httpx.get(f"{service.url}/v1/dev/clock").json()["now"].startswith("2031-05-06T01:0")


def test_a_clock_is_for_development_only(permit_ledger, tmp_path):
    """With a real issuer it cannot be set."""
    jwks = tmp_path / "jwks.json"
    jwks.write_text('{"keys": []}')
    issuer = {"PERMIT_LEDGER_ISSUER": "https://issuer.example", "PERMIT_LEDGER_JWKS": str(jwks)}

    run = permit_ledger("up", "--clock", "2031-05-06T09:00:00", **issuer)

    assert 2 == run.returncode
    assert "development mode only" in " ".join(run.stderr.split())


def test_keys_list_shows_how_many_keys_each_kek_wraps(service, registrar, application):
    """The active one wraps as many keys as there are holders; it cannot be destroyed."""
    registrar.post("/v1/permits", application())
    [(holders,)] = service.rows("SELECT count(*) FROM ledger.holders WHERE wrapped IS NOT NULL")
    [(kek_id,)] = service.rows("SELECT kek_id FROM ledger.key_encryption_keys")

    listed = service.command("keys", "list")
    refused = service.command("keys", "destroy", kek_id)

    assert 0 == listed.returncode, listed.stderr
    [line] = [line for line in listed.stdout.splitlines() if kek_id in line]
    assert f"{holders:,}" == line.split()[-1]
    assert (1, 1) == (refused.returncode, len(refused.stderr.splitlines()))
    assert "still in use" in refused.stderr
