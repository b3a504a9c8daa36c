"""The log only grows: by privilege for the service, by a trigger for all users."""

import pytest
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from ledger.database.connections import as_service, connect

INSERT = "INSERT INTO ledger.events VALUES (1, 'a', 1, 'topic', '{}')"
CHANGES = {
    "update": "UPDATE ledger.events SET state = ''",
    "update of nothing": "UPDATE ledger.events SET state = '' WHERE false",
    "delete": "DELETE FROM ledger.events",
    "truncate": "TRUNCATE ledger.events",
    "upsert": f"{INSERT} ON CONFLICT (position) DO UPDATE SET state = ''",
    "merge to update": """
        MERGE INTO ledger.events USING (VALUES (1)) AS other (position)
        ON events.position = other.position WHEN MATCHED THEN UPDATE SET state = ''""",
    "merge to delete": """
        MERGE INTO ledger.events USING (VALUES (1)) AS other (position)
        ON events.position = other.position WHEN MATCHED THEN DELETE""",
}


@pytest.fixture
def service(database_url):
    with connect(as_service(database_url)) as connection:
        yield connection


CHECKS = {
    "update": "UPDATE ledger.checks SET outcome = 'effective'",
    "update of nothing": "UPDATE ledger.checks SET state = '' WHERE false",
    "delete": "DELETE FROM ledger.checks",
    "truncate": "TRUNCATE ledger.checks",
}


@pytest.mark.parametrize("change", CHECKS.values(), ids=CHECKS)
def test_checks_are_append_only(admin, service, change):
    """The service lacks the right, and a trigger refuses the owner."""
    with pytest.raises(InsufficientPrivilege, match="permission denied for table checks"):
        service.execute(change)
    with pytest.raises(RestrictViolation, match=r"of ledger\.checks is refused"):
        admin.execute(change)


READS = {
    "update": "UPDATE ledger.audit_reads SET reader = 'nobody'",
    "update of nothing": "UPDATE ledger.audit_reads SET case_number = '' WHERE false",
    "delete": "DELETE FROM ledger.audit_reads",
    "truncate": "TRUNCATE ledger.audit_reads",
}


@pytest.mark.parametrize("change", READS.values(), ids=READS)
def test_audit_reads_are_append_only(admin, service, change):
    """The service lacks the right, and a trigger refuses the owner."""
    with pytest.raises(InsufficientPrivilege, match="permission denied for table audit_reads"):
        service.execute(change)
    with pytest.raises(RestrictViolation, match=r"of ledger\.audit_reads is refused"):
        admin.execute(change)


REGISTRAR_READS = {
    "update": "UPDATE ledger.registrar_reads SET reader = 'nobody'",
    "delete": "DELETE FROM ledger.registrar_reads",
    "truncate": "TRUNCATE ledger.registrar_reads",
}


@pytest.mark.parametrize("change", REGISTRAR_READS.values(), ids=REGISTRAR_READS)
def test_registrar_reads_are_append_only(admin, service, change):
    """The service lacks the right, and a trigger refuses the owner."""
    with pytest.raises(InsufficientPrivilege, match="denied for table registrar_reads"):
        service.execute(change)
    with pytest.raises(RestrictViolation, match=r"of ledger\.registrar_reads is refused"):
        admin.execute(change)


@pytest.fixture(params=CHANGES.values(), ids=CHANGES)
def change(request, admin):
    """One way to change the log, which holds one event."""
    admin.execute(INSERT)
    before = admin.execute("SELECT * FROM ledger.events").fetchall()
    assert len(before) == 1
    yield request.param
    assert before == admin.execute("SELECT * FROM ledger.events").fetchall()


def test_the_service_has_no_right_to_change_the_log(service, change):
    """It is refused before the trigger."""
    with pytest.raises(InsufficientPrivilege, match="permission denied for table events"):
        service.execute(change)


def test_the_owner_is_refused_too(admin, change):
    """With a message that says why; no row has to match."""
    with pytest.raises(RestrictViolation, match=r"the log is only ever added to"):
        admin.execute(change)


def test_a_session_in_the_replica_role_is_refused_too(admin, change):
    """Ordinary triggers would not fire in it."""
    admin.execute("SET session_replication_role = replica")

    with pytest.raises(RestrictViolation):
        admin.execute(change)


def test_a_refusal_undoes_the_transaction(admin):
    """An event that came in the same transaction is not there either."""
    with pytest.raises(RestrictViolation):
        admin.execute(f"{INSERT}; DELETE FROM ledger.events")

    assert (0,) == admin.execute("SELECT count(*) FROM ledger.events").fetchone()


def test_the_service_adds_rows_by_its_functions_alone(service):
    """By INSERT and COPY it is refused: positions and versions are the function's to see to."""
    with pytest.raises(InsufficientPrivilege, match="permission denied for table events"):
        service.execute(INSERT)
    with (
        pytest.raises(InsufficientPrivilege, match="permission denied for table events"),
        service.cursor() as cursor,
        cursor.copy("COPY ledger.events FROM STDIN") as copy,
    ):
        copy.write_row((2, "a", 2, "topic", b"{}"))


def test_an_owner_can_disable_the_trigger(admin, rewrite_log):
    """The trigger prevents mistakes only; once enabled again, it refuses as before."""
    admin.execute(INSERT)

    rewrite_log("UPDATE ledger.events SET topic = 'another'")

    assert ("another",) == admin.execute("SELECT topic FROM ledger.events").fetchone()
    with pytest.raises(RestrictViolation):
        admin.execute("DELETE FROM ledger.events")
