"""A database user who is a member of the service's role and nothing else runs everything."""

from contextlib import closing
from threading import Event

import pytest
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from ledger.commands.blocking import BlockingLedger
from ledger.commands.runner import Command
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.clock import DevelopmentClock
from ledger.database.connections import SERVICE_ROLE, as_service, connect
from ledger.errors import RightsMissing, SchemaBehind, SchemaMismatch
from permit_ledger.bootstrap.cli_context import database
from permit_ledger.bootstrap.setup import bring_up_to_date, prepare
from permit_ledger.settings import Settings
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector
from projections.views.registry import all_views
from tests.keks import keyring
from tests.permit_ledger.permit_rows import application, person

MEMBER = "IN ROLE permit_ledger_service"


@pytest.fixture
def as_member(new_login):
    """``as_member(url)``: the same database for a new user, who owns and inherits nothing more."""
    return lambda url: make_conninfo(url, user=new_login(MEMBER))


@pytest.fixture
def migrated(empty_database):
    """A database that its owner has migrated, before its first service."""
    with connect(empty_database) as owner:
        bring_up_to_date(owner)
    return empty_database


def test_an_owner_serves_with_the_few_rights_too(empty_database, tmp_path):
    """Where one user does all: the owner's rights end with the migrations."""
    settings = Settings(data_dir=tmp_path, database_url=empty_database)

    with database(settings) as url, connect(url) as connection:
        assert (SERVICE_ROLE,) == connection.execute("SELECT current_user").fetchone()


def test_a_migrated_database_is_prepared_with_reads_and_the_key_check(
    migrated, as_member, blind_index
):
    """The key is the service's own: the owner who migrates never has it."""
    with connect(as_member(migrated)) as member:
        assert [] == prepare(member, blind_index, keyring())
        assert [("blind-index",)] == member.execute(
            "SELECT key_name FROM ledger.key_checks"
        ).fetchall()
        member.execute("SET default_transaction_read_only = on")
        assert [] == prepare(member, blind_index, keyring())


def test_an_unmigrated_database_is_refused(empty_database, as_member, blind_index):
    """The message names what is missing and who has to act; nothing is changed."""
    with connect(as_member(empty_database)) as member:
        with pytest.raises(
            SchemaBehind, match=r"lacks ledger/0001_log\.sql, .* run `permit-ledger migrate` as the"
        ):
            prepare(member, blind_index, keyring())

        assert (None,) == member.execute("SELECT to_regnamespace('ledger')").fetchone()


def test_a_newer_database_is_refused(migrated, as_member, blind_index):
    """Of which this version has no file."""
    with connect(migrated) as owner:
        owner.execute(
            "INSERT INTO public.permit_ledger_migrations VALUES ('ledger', '9999_later.sql', '')"
        )

    with (
        connect(as_member(migrated)) as member,
        pytest.raises(SchemaMismatch, match=r"ledger no longer has .* 9999_later\.sql") as refused,
    ):
        prepare(member, blind_index, keyring())
    assert not isinstance(refused.value, SchemaBehind)


def test_a_user_who_is_not_a_member_is_refused(migrated, new_login, blind_index):
    """With the statement that would help."""
    name = new_login()

    with (
        connect(make_conninfo(migrated, user=name)) as stranger,
        pytest.raises(RightsMissing, match=f'run GRANT permit_ledger_service TO "{name}"'),
    ):
        prepare(stranger, blind_index, keyring())


def test_a_permit_is_issued_and_seen(migrated, as_member, blind_index, context):
    """Commands, views and clock: all that the roles do, none of it with the owner's rights."""
    url = as_service(as_member(migrated))
    with connect(url) as member:
        prepare(member, blind_index, keyring())
    with closing(BlockingLedger(url, blind_index=blind_index, keyring=keyring())) as ledger:
        answer = ledger.permits.issue(application(person(1)), Command(context))
        page = ledger.events(1, 10)
    projector = Projector(url, all_views(blind_index), EventOpener(HolderKeys(keyring())), Event())
    with connect(url) as member:
        projector.apply(member, page)

        assert [(page[0].originator_id, 1)] == member.execute(
            "SELECT permit_number, position FROM views.permits, views.position"
        ).fetchall()
    assert answer.accepted
    clock = DevelopmentClock(url)
    clock.set(context.at)
    clock.load()


def test_a_login_that_has_changed_its_own_sessions_serves_and_is_reported(
    migrated, as_member, tmp_path
):
    """What its sessions begin with is set for each connection, from the first one of a start on."""
    url = as_member(migrated)
    with connect(url) as member:
        for setting in ("timezone = 'Asia/Shanghai'", "work_mem = '64kB'"):
            member.execute(f"ALTER ROLE CURRENT_USER SET {setting}")
    settings = Settings(data_dir=tmp_path, database_url=url)

    with capture_logs() as said, database(settings) as service, connect(service) as connection:
        assert ("UTC",) == connection.execute("SHOW timezone").fetchone()

    [warning] = [each for each in said if each["log_level"] == "warning"]
    assert "begin with TimeZone, work_mem;" in warning["reason"]
