"""A database remembers whose tokens its service believes: one that has served a real issuer is not
opened in development mode by mistake, where anybody gets a token."""

import pytest
from psycopg.conninfo import make_conninfo

from ledger.database.connections import connect
from ledger.errors import RightsMissing
from permit_ledger.bootstrap.cli_context import database, keyless_database
from permit_ledger.bootstrap.setup import OtherIssuer, bring_up_to_date, change_issuer
from permit_ledger.settings import DEVELOPMENT_ISSUER, Settings
from tests import commands

REAL = "https://login.example"


@pytest.fixture
def start(empty_database, tmp_path):
    """``start(issuer=…)``: what every command does with the database first; its name of the
    issuer."""

    def start(opening=database, **settings):
        if settings.get("issuer"):
            settings["jwks"] = "https://login.example/keys"
        given = Settings(data_dir=tmp_path, database_url=empty_database, **settings)
        with opening(given) as url, connect(url) as connection:
            return connection.execute("SELECT name FROM ledger.issuer").fetchall()

    return start


@pytest.mark.parametrize("opening", [database, keyless_database])
def test_development_mode_is_refused_where_a_real_issuer_was_served(start, opening):
    """In words that say what to do."""
    assert [(REAL,)] == start(issuer=REAL)

    with pytest.raises(OtherIssuer, match=r"development mode.*permit-ledger migrate --issuer"):
        start(opening, development=True)

    assert [(REAL,)] == start(issuer=REAL)


@pytest.mark.parametrize("opening", [database, keyless_database])
def test_another_issuer_is_refused(start, opening):
    """Also where development mode was first."""
    start(development=True)

    with pytest.raises(OtherIssuer, match=f"serves the issuer {DEVELOPMENT_ISSUER}, .*{REAL}"):
        start(opening, issuer=REAL)

    assert [(DEVELOPMENT_ISSUER,)] == start(development=True)


def test_a_command_that_believes_no_tokens_runs_on_either(start):
    """The projector, the integrator; it remembers nothing either."""
    assert [] == start()
    start(issuer=REAL)
    assert [(REAL,)] == start()


def test_only_the_owner_changes_the_issuer(start, empty_database, new_login):
    """Not the login that the service uses."""
    start(issuer=REAL)
    login = new_login("IN ROLE permit_ledger_service")
    with (
        connect(make_conninfo(empty_database, user=login)) as service,
        pytest.raises(RightsMissing, match="as the database's owner"),
    ):
        change_issuer(service, DEVELOPMENT_ISSUER)

    with connect(empty_database) as owner:
        change_issuer(owner, DEVELOPMENT_ISSUER)

    assert [(DEVELOPMENT_ISSUER,)] == start(development=True)


def test_the_owner_may_name_the_issuer_before_the_first_start(start, empty_database):
    """With the migrations."""
    with connect(empty_database) as owner:
        bring_up_to_date(owner)
        change_issuer(owner, REAL)

    with pytest.raises(OtherIssuer):
        start(development=True)


def test_up_is_refused_and_migrate_changes_it(empty_database, tmp_path):
    """As an operator meets it: exit code 1 and one line; nothing listens."""
    environment = {"PERMIT_LEDGER_DATABASE_URL": empty_database}

    def run(*arguments):
        return commands.permit_ledger(tmp_path, environment, *arguments)

    named = run("migrate", "--issuer", REAL)
    assert 0 == named.returncode
    assert named.stdout.splitlines()[-1].startswith(f"serves the issuer {REAL}")

    for command in (
        ["up", "--empty"],
        ["simulate", "--permits", "1", "--days", "1", "--seed", "1"],
    ):
        refused = run(*command)
        assert 1 == refused.returncode
        [line] = refused.stderr.splitlines()
        assert f"permit-ledger: this database serves the issuer {REAL}" in line
        assert "ready" not in refused.stdout
