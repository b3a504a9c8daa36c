"""The service's role: who creates it, its rights, and the errors of users without it."""

import itertools
from threading import Thread

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.database.connections import (
    SERVICE_ROLE,
    SETTINGS,
    acting_as_service,
    as_service,
    connect,
    with_settings,
)
from ledger.database.migrations import migrate
from ledger.errors import RightsMissing, SchemaBehind
from permit_ledger.embedded.server import EmbeddedPostgres

PACKAGES = ("ledger", "projections")
RIGHTS = {
    "public.permit_ledger_migrations": {"SELECT"},
    "ledger.events": {"SELECT"},
    "ledger.head": {"SELECT"},
    "ledger.answers": {"SELECT"},
    "ledger.holders": {"SELECT"},
    "ledger.portraits": {"SELECT"},
    "ledger.holder_keys": {"SELECT"},
    "ledger.key_encryption_keys": {"SELECT"},
    "ledger.checks": {"SELECT"},
    "ledger.checks_head": {"SELECT"},
    "ledger.audit_reads": {"SELECT"},
    "ledger.registrar_reads": {"SELECT"},
    "ledger.relay": {"SELECT", "UPDATE"},
    "ledger.trees": {"SELECT"},
    "ledger.tiles": {"SELECT"},
    "ledger.checkpoints": {"SELECT"},
    "ledger.checkpoint_signatures": {"SELECT"},
    "ledger.manifests": {"SELECT"},
    "ledger.audit_reads_head": {"SELECT"},
    "ledger.last_events": {"SELECT", "UPDATE"},
    "ledger.last_events_tiles": {"SELECT", "INSERT", "UPDATE"},
    "ledger.display_codes": {"SELECT"},
    "ledger.challenges": {"SELECT"},
    "ledger.device_proofs": {"SELECT"},
    "ledger.sessions": {"SELECT", "INSERT", "DELETE"},
    "ledger.face_assertions": {"SELECT", "INSERT", "DELETE"},
    "ledger.former_numbers": {"SELECT"},
    "ledger.former_numbers_since": {"SELECT"},
    "ledger.topics": {"SELECT"},
    "ledger.issuer": {"SELECT"},
    "ledger.key_checks": {"SELECT", "INSERT"},
    "ledger.clock": {"SELECT", "INSERT", "UPDATE"},
    "views.position": {"SELECT", "UPDATE"},
    "views.id_card_applications": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "views.physical_permits": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "views.electronic_permits": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "views.permit_search": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "views.quarantine": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "views.audit": {"SELECT", "UPDATE"},
    "views.builds": {"SELECT"},
    "views.differences": {"SELECT"},
    "views.counts": {"SELECT"},
    "views.permits": {"SELECT"},
    "views.feed": {"SELECT", "INSERT", "UPDATE"},
    "views.feed_partitions": {"SELECT", "INSERT", "UPDATE"},
    "views.bad_records": {"SELECT", "INSERT"},
}
COLUMNS = {
    ("ledger.key_encryption_keys", "kek_id", "INSERT"),
    ("ledger.key_encryption_keys", "check_value", "INSERT"),
    ("ledger.trees", "stopped", "UPDATE"),
    ("ledger.sessions", "used_at", "UPDATE"),
    ("ledger.face_assertions", "used_at", "UPDATE"),
}
FUNCTIONS = {
    "add_manifest",
    "append",
    "ask_challenge",
    "check_batch",
    "forget",
    "grow_tree",
    "keep_checkpoint",
    "keep_cosignatures",
    "mint_code",
    "record_read",
    "record_registrar_reads",
    "remember_issuer",
    "settle_checks_head",
    "settle_head",
}
EVERY_RIGHT = (
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "MAINTAIN",
)

_databases = itertools.count(1)


# -- what it may do ----------------------------------------------------------------------------


def test_the_rights_of_the_role_are_exactly_these(admin):
    """On every table and view; the rights on a new one are to be decided here."""
    rows = admin.execute(
        "SELECT nspname || '.' || relname, privilege"
        " FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace,"
        " unnest(%s::text[]) AS privilege"
        " WHERE nspname IN ('ledger', 'views', 'public') AND relkind IN ('r', 'v', 'm', 'p', 'S')"
        " AND has_table_privilege(%s, pg_class.oid, privilege)",
        [[*EVERY_RIGHT], SERVICE_ROLE],
    ).fetchall()

    found = {table: {right for name, right in rows if name == table} for table, _ in rows}
    assert RIGHTS == found


def test_the_rights_on_single_columns_are_exactly_these(admin):
    """Beside those on whole tables."""
    columns = admin.execute(
        "SELECT nspname || '.' || relname, attname, acl.privilege_type"
        " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " JOIN pg_namespace ON pg_namespace.oid = relnamespace, aclexplode(attacl) AS acl"
        " WHERE acl.grantee = %s::regrole AND nspname IN ('ledger', 'views', 'public')",
        [SERVICE_ROLE],
    ).fetchall()
    assert COLUMNS == set(columns)


def test_the_functions_with_their_owners_rights_are_exactly_these(admin):
    """Each checks what it is asked for, finds its tables by their full names, and is the service's
    alone."""
    rows = admin.execute(
        "SELECT proname, proconfig, has_function_privilege(%s, pg_proc.oid, 'EXECUTE'),"
        " EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl"
        "         WHERE acl.grantee = 0)"
        " FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace"
        " WHERE prosecdef AND nspname IN ('ledger', 'views')",
        [SERVICE_ROLE],
    ).fetchall()
    assert FUNCTIONS == {name for name, _, is_services, _ in rows if is_services}
    for name, settings, _, is_everybodys in rows:
        assert "search_path=pg_catalog, pg_temp" in settings, name
        assert not is_everybodys, name


def test_the_role_creates_and_owns_nothing(admin):
    """Neither in the schemas nor elsewhere; and it cannot log in."""
    assert (False, False, False, False, False) == admin.execute(
        "SELECT rolcanlogin, has_schema_privilege(rolname, 'ledger', 'CREATE'),"
        " has_schema_privilege(rolname, 'views', 'CREATE'),"
        " has_schema_privilege(rolname, 'public', 'CREATE'),"
        " has_database_privilege(rolname, current_database(), 'CREATE')"
        " FROM pg_roles WHERE rolname = %s",
        [SERVICE_ROLE],
    ).fetchone()


# -- acting as it ------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", "-c statement_timeout=7000", "-c work_mem=7MB -c jit=on"])
def test_existing_options_are_kept(database_url, given):
    """They count before the service's own settings, and the role is added after them, once."""
    url = make_conninfo(database_url, options=given)

    acting = as_service(url)

    assert conninfo_to_dict(acting)["options"].endswith(f"{given} -c role={SERVICE_ROLE}")
    assert acting == as_service(acting)


def test_options_from_the_environment_are_kept(database_url, monkeypatch):
    """Otherwise libpq would ignore them."""
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=7000")

    with connect(as_service(database_url)) as connection:
        assert (SERVICE_ROLE, "7s") == connection.execute(
            "SELECT current_user, current_setting('statement_timeout')"
        ).fetchone()


def test_the_address_still_names_the_same_database():
    """As a URL too, with escaped characters."""
    acting = conninfo_to_dict(as_service("postgresql://a:b%20c@host:7/db?sslmode=require"))

    assert {
        **conninfo_to_dict("postgresql://a:b%20c@host:7/db?sslmode=require"),
        "options": " ".join(f"-c {each}" for each in (*SETTINGS, f"role={SERVICE_ROLE}")),
    } == acting


HOSTILE = {
    "array_nulls": "off",
    "bytea_output": "escape",
    "client_encoding": "SQL_ASCII",
    "DateStyle": "German",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "serializable",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "1ms",
    "IntervalStyle": "iso_8601",
    "lock_timeout": "1ms",
    "search_path": "pg_temp",
    "standard_conforming_strings": "off",
    "statement_timeout": "1ms",
    "synchronous_commit": "off",
    "TimeZone": "Asia/Shanghai",
    "transform_null_equals": "on",
}


def test_a_login_cannot_set_what_the_service_relies_on(database_url, new_login):
    """It may change the defaults of its own sessions."""
    name = new_login(f"IN ROLE {SERVICE_ROLE}")
    url = make_conninfo(database_url, user=name)
    names = "SELECT string_agg(name || '=' || setting, ';' ORDER BY name) FROM pg_settings"
    names += " WHERE name = ANY (%s)"
    with connect(as_service(url)) as before:
        expected = before.execute(names, [[*HOSTILE]]).fetchone()
    with connect(url) as login:
        for setting, value in HOSTILE.items():
            login.execute(f"ALTER ROLE {name} SET {setting} = '{value}'")

    for address in (as_service(url), with_settings(url)):
        with connect(address) as after:
            assert expected == after.execute(names, [[*HOSTILE]]).fetchone()


def test_reset_role_does_not_leave_the_role(database_url):
    """Only code that asks for it by name gets the user's own rights back."""
    with connect(as_service(database_url)) as connection:
        connection.execute("RESET ROLE")

        assert (SERVICE_ROLE,) == connection.execute("SELECT current_user").fetchone()


def test_the_role_can_be_assumed_for_one_transaction(admin):
    """Afterwards the connection has its user's rights again."""
    with acting_as_service(admin):
        assert (SERVICE_ROLE,) == admin.execute("SELECT current_user").fetchone()

    assert ("postgres",) == admin.execute("SELECT current_user").fetchone()


def test_the_error_for_a_non_member_names_the_grant(database_url, new_login):
    """By name, as a statement."""
    name = new_login()
    with (
        connect(make_conninfo(database_url, user=name)) as stranger,
        pytest.raises(RightsMissing, match=f'run GRANT permit_ledger_service TO "{name}"'),
        acting_as_service(stranger),
    ):
        pass


# -- creating it: on a server that does not have it yet ------------------------------------------


@pytest.fixture(scope="module")
def other_server(make_data_dir):
    with EmbeddedPostgres(make_data_dir()) as server, connect(server.url) as admin:
        yield admin, server.url


@pytest.fixture
def new_database(other_server):
    """``new_database("CREATEROLE")``: an URL for the owner of an empty database, a user with these
    attributes; and the role goes with the test."""
    admin, url = other_server
    made = []

    def new_database(attributes):
        name = f"owned_{next(_databases)}"
        admin.execute(f"CREATE ROLE {name} LOGIN {attributes}")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
        made.append(name)
        return make_conninfo(url, dbname=name, user=name)

    yield new_database
    for name in made:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.execute(f"DROP ROLE IF EXISTS {SERVICE_ROLE}")
    for name in made:
        admin.execute(f"DROP ROLE {name}")


def migrated(url):
    with connect(url) as connection:
        return migrate(connection, *PACKAGES)


def test_an_owner_who_may_create_roles_can_migrate_and_serve(new_database):
    """With one connection string, although not a superuser; the service acts with the role's
    rights."""
    url = new_database("CREATEROLE")

    assert migrated(url)

    with connect(as_service(url)) as connection:
        assert (0,) == connection.execute("SELECT position FROM ledger.head").fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM ledger.events")


def test_the_error_for_an_owner_without_createrole_names_the_grant(new_database, other_server):
    """The administrator's statements in full; once they were run, the migration continues."""
    url = new_database("")
    user = conninfo_to_dict(url)["user"]

    with pytest.raises(RightsMissing) as refused:
        migrated(url)

    message = str(refused.value)
    statements = [
        "CREATE ROLE permit_ledger_service NOLOGIN;",
        f"GRANT permit_ledger_service TO {user};",
    ]
    assert message.startswith("ledger/0002_append_only.sql was not applied: there is no role")
    assert all(statement in message for statement in statements)
    with connect(url) as connection:
        assert [("0001_log.sql",)] == connection.execute(
            "SELECT file FROM public.permit_ledger_migrations"
        ).fetchall()
        assert (None, None) == connection.execute(
            "SELECT to_regclass('ledger.events_topic'), to_regproc('ledger.refuse_change')"
        ).fetchone()

    admin, _url = other_server
    for statement in statements:
        admin.execute(statement)
    assert "ledger/0002_append_only.sql" in migrated(url)
    with connect(as_service(url)) as connection:
        assert (SERVICE_ROLE,) == connection.execute("SELECT current_user").fetchone()


def test_two_databases_may_create_it_concurrently(new_database, other_server, until):
    """The role is the server's: the second database uses the first one's."""
    admin, server_url = other_server
    url = new_database("SUPERUSER")
    applied = []
    migrating = Thread(target=lambda: applied.extend(migrated(url)))

    with connect(server_url) as other:
        with other.transaction():
            other.execute(f"CREATE ROLE {SERVICE_ROLE} NOLOGIN")
            migrating.start()
            until(
                lambda: admin.execute(
                    "SELECT 1 FROM pg_stat_activity"
                    " WHERE datname = %s AND wait_event_type = 'Lock'",
                    [conninfo_to_dict(url)["dbname"]],
                ).fetchone()
            )
        migrating.join()

    assert "ledger/0002_append_only.sql" in applied


def test_two_databases_share_the_role(new_database):
    """One after the other, each with its own rights."""
    one, other = new_database("SUPERUSER"), new_database("SUPERUSER")

    assert migrated(one) == migrated(other)

    for url in (one, other):
        with connect(as_service(url)) as connection:
            assert (0,) == connection.execute("SELECT position FROM views.position").fetchone()


def test_a_database_from_another_server_lacks_the_role(new_database, other_server):
    """A dump does not contain it: the message names the document about moving a database."""
    url = new_database("SUPERUSER")
    migrated(url)
    with connect(url) as connection:
        connection.execute(f"DROP OWNED BY {SERVICE_ROLE}")
        connection.execute(f"DROP ROLE {SERVICE_ROLE}")

        with (
            pytest.raises(RightsMissing, match=r"docs/operations\.md"),
            acting_as_service(connection),
        ):
            pass


# -- who may migrate ---------------------------------------------------------------------------


def test_only_the_owner_may_migrate(empty_database, new_login):
    """A user who may create in the database as well is refused before anything is done."""
    stranger = new_login()
    with connect(empty_database) as owner:
        migrate(owner, "ledger")
        owner.execute(f"GRANT SELECT ON public.permit_ledger_migrations TO {stranger}")
        owner.execute(f"GRANT CREATE ON SCHEMA public TO {stranger}")
        owner.execute(f"GRANT CREATE ON DATABASE {owner.info.dbname} TO {stranger}")

        with (
            connect(make_conninfo(empty_database, user=stranger)) as connection,
            pytest.raises(SchemaBehind, match=r"lacks projections/0001_views\.sql, .*owner"),
        ):
            migrate(connection, *PACKAGES)

        assert (None,) == owner.execute("SELECT to_regnamespace('views')").fetchone()
