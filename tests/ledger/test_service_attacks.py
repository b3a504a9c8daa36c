"""What the service's own login tries against the log: by statements, and by the functions it has.

It logs in by itself, as in use: no ``SET ROLE`` gives it more.
"""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import (
    DatetimeFieldOverflow,
    InsufficientPrivilege,
    IntegrityConstraintViolation,
    RestrictViolation,
    UniqueViolation,
)

from domain.data_protection import Order
from ledger.database.connections import as_service, connect
from ledger.eventlog import append
from ledger.eventlog.append import Append, write
from ledger.eventlog.registry import (
    ApplyProtection,
    ChangeCitizenNumber,
    ClaimHolder,
    Measure,
    ReleaseHolder,
)
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.embedded.server import EmbeddedPostgres
from tests.keks import keyring
from tests.ledger.appends import on
from tests.transparency.signed_log import check
from transparency.manifests import Manifest

TYPES = {
    f"{kind}_{name}": type_name
    for kind, columns in append.COLUMNS.items()
    for name, type_name in columns.items()
}
ORDER = Order("个人信息保护法第四十七条", "case-1")


@pytest.fixture
def login(database_url, new_login):
    """A connection of a login that is a member of the service's role, and nothing else."""
    name = new_login("IN ROLE permit_ledger_service")
    with connect(make_conninfo(as_service(database_url), user=name)) as connection:
        yield connection


@pytest.fixture
def embedded_service(make_data_dir, blind_index):
    """The address that the service gets from an embedded server."""
    with EmbeddedPostgres(make_data_dir()) as server:
        with connect(server.url) as owner:
            prepare(owner, blind_index, keyring())
        yield as_service(server.admit_service())


@pytest.fixture
def everything(ledger, issue, command, admin):
    """A log with two permits, of which one holder is restricted; a check, a look, and a tree."""
    one, other = issue(), issue()
    victim = ledger.permit(one).holder_id
    ledger.holders.restrict(victim, ORDER, command())
    check(admin, [1])
    admin.execute(
        "SELECT ledger.record_read(gen_random_uuid(), now(), 'r', 'c', 'w', %s, '{}', 'ok', 'x')",
        [one],
    )
    root = hashlib.sha256(b"root").digest()
    admin.execute(
        "SELECT ledger.grow_tree('events', 0, sha256(''), 2, %s, '{0}', '{0}', %s)",
        [root, [bytes(64)]],
    )
    admin.execute("SELECT ledger.keep_checkpoint('events', 2, %s, ARRAY['— log AAAAAAAA'])", [root])
    return one, other, victim


STATEMENTS = {
    "move the head": "UPDATE ledger.head SET position = 0",
    "move the head of checks": "UPDATE ledger.checks_head SET position = 7",
    "add an event": "INSERT INTO ledger.events VALUES (9, 'a', 1, 't', '{}')",
    "rewrite an event": "UPDATE ledger.events SET state = '{}'",
    "rewrite a tile": "UPDATE ledger.tiles SET hashes = sha256('x') || substring(hashes FROM 33)",
    "remove a tile": "DELETE FROM ledger.tiles",
    "add a tile": "INSERT INTO ledger.tiles VALUES ('events', 1, 0, sha256('x'))",
    "shrink a tree": "UPDATE ledger.trees SET size = 0",
    "another root": "UPDATE ledger.trees SET root = sha256('x')",
    "a checkpoint": "INSERT INTO ledger.checkpoints VALUES ('events', 9, sha256('x'), now())",
    "a signature": "INSERT INTO ledger.checkpoint_signatures (tree, size, line, is_cosignature)"
    " VALUES ('events', 2, 'x', true)",
    "a manifest": "INSERT INTO ledger.manifests VALUES (1, '{}')",
    "another's check": "INSERT INTO ledger.checks SELECT position + 1, gen_random_uuid(), now(),"
    " permit_number, track, scenario, 'effective', NULL, 'x', 1, state FROM ledger.checks",
    "another's look": "INSERT INTO ledger.audit_reads (read_id, read_at, reader, what, parameters,"
    " outcome, correlation_id) VALUES (gen_random_uuid(), now(), 'r', 'w', '{}', 'ok', 'x')",
    "lift a restriction": "UPDATE ledger.holders SET restricted = false",
    "swap two people": "UPDATE ledger.holders SET citizen_index = NULL",
    "hide a permit": "UPDATE ledger.holders SET permit_numbers = '{}'",
    "another holder": "INSERT INTO ledger.holders (holder_id) VALUES ('h')",
    "another key": "UPDATE ledger.holder_keys SET wrapped = 'x'",
    "destroy a key": "SELECT ledger.destroy_key((SELECT min(holder_id) FROM ledger.holders))",
    "lift a bar": "DELETE FROM ledger.former_numbers",
    "another picture": "INSERT INTO ledger.portraits VALUES ('a', 1, 'x')",
    "another answer": "INSERT INTO ledger.answers (caller, key, fingerprint, accepted, body)"
    " VALUES ('c', 'k', 'f', true, '')",
    "use a code again": "UPDATE ledger.display_codes SET used_at = NULL",
    "make a code": "INSERT INTO ledger.display_codes"
    " VALUES ('c', 'p', 'h', 'd', NULL, now(), now())",
    "hear a proof again": "DELETE FROM ledger.device_proofs",
    "close a KEK": "UPDATE ledger.key_encryption_keys SET closed_at = now()",
    "another topic": "INSERT INTO ledger.topics VALUES ('permit.renamed.v9')",
    "bars since now": "UPDATE ledger.former_numbers_since SET position = 9",
    "another issuer": "UPDATE ledger.issuer SET name = 'https://mine.example'",
    "forget the issuer": "DELETE FROM ledger.issuer",
    "put the trigger aside": "ALTER TABLE ledger.events DISABLE TRIGGER append_only",
    "another function": "CREATE OR REPLACE FUNCTION ledger.settle_head() RETURNS bigint"
    " LANGUAGE sql AS 'SELECT 0::bigint'",
    "read the server's files": "SELECT pg_read_file('/etc/passwd')",
    "run a program": "COPY (SELECT 1) TO PROGRAM 'true'",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_no_statement_of_the_service_changes_what_is_on_record(everything, login, statement):
    """Also where the row would be none."""
    with pytest.raises(InsufficientPrivilege):
        login.execute(statement)


@pytest.mark.parametrize(
    "return_to_more",
    [
        "RESET ROLE",
        "SET ROLE none",
        "SELECT set_config('role', 'none', false)",
        "SET SESSION AUTHORIZATION DEFAULT",
    ],
)
def test_nothing_gives_the_service_more_rights_back(login, return_to_more):
    """The login behind the role has none of its own."""
    login.execute(return_to_more)

    with pytest.raises(InsufficientPrivilege):
        login.execute("UPDATE ledger.head SET position = 0")
    for role in ("postgres", "pg_write_all_data"):
        with pytest.raises(InsufficientPrivilege):
            login.execute(f"SET ROLE {role}")


def test_the_embedded_server_gives_the_service_that_login(embedded_service):
    """Not the session of its superuser: neither on the way in nor by what is set later."""
    with connect(embedded_service) as connection:
        connection.execute("SELECT set_config('role', 'none', false)")

        assert ("permit_ledger_app", "permit_ledger_app", "off") == connection.execute(
            "SELECT session_user, current_user, current_setting('is_superuser')"
        ).fetchone()
        with pytest.raises(InsufficientPrivilege):
            connection.execute("UPDATE ledger.head SET position = 0")


# -- by its functions --------------------------------------------------------------------------


def refused(login, attempt):
    with pytest.raises(RestrictViolation):
        write(login, [attempt])


def test_an_event_leaves_out_no_version(everything, login):
    """A gap would hide what stood there."""
    refused(login, on("a", version=2))
    refused(login, on(everything[0], version=9))


def test_a_person_is_not_claimed_without_an_event_that_says_so(everything, login):
    """Nor by one that names another holder, or begins another stream."""
    take = ClaimHolder(b"a new person", "another", "a")
    refused(login, Append([], [take]))
    refused(login, Append(on("a").events, [take]))
    refused(login, Append(on("b", ClaimHolder(b"", "another", "b")).events, [take]))


def test_no_number_is_changed_or_released_without_an_event(everything, login, admin):
    """The register would let a person have a second permit."""
    one, _, victim = everything
    [[index]] = admin.execute(
        "SELECT citizen_index FROM ledger.holders WHERE holder_id = %s", [victim]
    ).fetchall()

    refused(login, Append([], [ReleaseHolder(index, one)]))
    refused(login, Append(on("a").events, [ReleaseHolder(index, one)]))
    refused(login, Append([], [ChangeCitizenNumber(index, one, b"another number")]))


def test_no_number_is_changed_or_released_by_an_event_that_does_neither(everything, login, admin):
    """By one of another kind, or by the right one in another stream."""
    one, other, victim = everything
    [[index]] = admin.execute(
        "SELECT citizen_index FROM ledger.holders WHERE holder_id = %s", [victim]
    ).fetchall()
    release, correct = ReleaseHolder(index, one), ChangeCitizenNumber(index, one, b"another number")

    for change in (release, correct):
        refused(login, Append(on(one, version=3).events, [change]))
        refused(login, Append(on(other, change, version=2).events, [change]))
    refused(login, Append(on(one, correct, version=3).events, [release]))
    refused(login, Append(on(one, release, version=3).events, [correct]))


MAY_LACK = {"answer_version", "answer_position", "answer_event", "take_kek_id", "take_wrapped"}
REGISTER = (
    "SELECT holder_id, citizen_index, permit_number, permit_numbers, restricted, wrapped"
    " FROM ledger.holders ORDER BY 1",
    "SELECT * FROM ledger.former_numbers ORDER BY 1",
    "SELECT * FROM ledger.answers",
    "SELECT * FROM ledger.portraits",
    "SELECT position FROM ledger.head",
)


def is_accepted(login, arrays):
    named = ", ".join(f"{name} => %({name})b::{TYPES[name]}[]" for name in arrays)
    try:
        login.execute(f"SELECT * FROM ledger.append({named})", arrays)
    except (RestrictViolation, IntegrityConstraintViolation):
        return False
    return True


def test_arrays_of_an_append_that_do_not_belong_together_change_nothing(
    everything, ledger, login, admin, issue, command, citizen_number
):
    """A group that is empty or NULL in one array would switch off the check of another one's rows:
    permits released without an event, bars deleted, records that can't be erased."""
    one, other, victim = everything
    corrected = issue()
    ledger.permits.correct_identity(corrected, command(), citizen_id_number=citizen_number())
    [[of_victim, of_other]] = admin.execute(
        "SELECT (SELECT citizen_index FROM ledger.holders WHERE permit_number = %s),"
        " (SELECT citizen_index FROM ledger.holders WHERE permit_number = %s)",
        [one, other],
    ).fetchall()
    event = {
        "event_command": [0],
        "event_stream": ["begun"],
        "event_version": [1],
        "event_topic": ["test.happened.v1"],
        "event_state": [b'{"holder_id": "made up"}'],
    }
    release = {"release_citizen_index": [of_victim], "release_permit_number": [one]}
    reindex = {
        "reindex_command": [0],
        "reindex_citizen_index": [of_other],
        "reindex_permit_number": [other],
        "reindex_new_citizen_index": [b"new"],
    }
    take = {
        "take_command": [0],
        "take_citizen_index": [b"new"],
        "take_holder_id": ["made up"],
        "take_permit_number": ["begun"],
        "take_kek_id": [None],
        "take_wrapped": [None],
    }
    protect = {
        "protect_command": [0],
        "protect_holder_id": [victim],
        "protect_permits": [1],
        "protect_measure": ["lift"],
    }
    answer = {
        "answer_command": [0],
        "answer_caller": ["c"],
        "answer_key": ["k"],
        "answer_fingerprint": [b"f"],
        "answer_accepted": [True],
        "answer_body": [b""],
        "answer_version": [1],
        "answer_position": [1],
        "answer_event": [None],
    }
    portrait = {"portrait_stream": [one], "portrait_version": [1], "portrait_image": [b"x"]}
    bars = [index for [index] in admin.execute("SELECT citizen_index FROM ledger.former_numbers")]
    attacks = {
        "release beside no array": {**release, "reindex_permit_number": None},
        "reindex beside no array": {**reindex, "release_permit_number": None},
        "delete the bars": {
            "reindex_new_citizen_index": bars,
            "reindex_permit_number": ["begun"],
            **event,
        },
        "a stream that is none": {**take, **event, "take_permit_number": []},
        "another's record": {
            **take,
            **event,
            "take_command": [],
            "take_citizen_index": [of_other],
        },
        "delete the bars by no claim": {"take_citizen_index": bars, "take_holder_id": [None]},
    }
    for group in (event, release, reindex, take, protect, answer, portrait):
        for name in group:
            for wrong in (None, [], [None], [*group[name], *group[name]]):
                if wrong != group[name] and (wrong != [None] or name not in MAY_LACK):
                    attacks[f"{name} {wrong}"] = {**event, **group, name: wrong}
    before = [admin.execute(query).fetchall() for query in REGISTER]

    assert [] == [what for what, arrays in attacks.items() if is_accepted(login, arrays)]
    assert before == [admin.execute(query).fetchall() for query in REGISTER]


def test_a_change_of_the_register_finds_its_row(everything, ledger, login, admin):
    """Not that of another person: nothing would change, and former numbers be free again."""
    _, other, _ = everything
    version = len(ledger.events(1, 100))
    changes = [
        ReleaseHolder(b"of no one", other),
        ChangeCitizenNumber(b"of no one", other, b"new"),
    ]
    for change in changes:
        with pytest.raises(IntegrityConstraintViolation):
            write(login, [on(other, change, version=2)])

    assert version == len(ledger.events(1, 100))


MINT = (
    "SELECT refused FROM ledger.mint_code(%s, 'p', 'h', 'd', NULL, now() + %s, now() + %s, 'mac',"
    " %s)"
)
ASK = "SELECT ledger.ask_challenge(%s, %s, 's', now() + %s, now() + %s)"
USE = (
    "SELECT is_live FROM ledger.check_batch('{}', '{1}', '{code}', '{NULL}', '{NULL}', '{s}',"
    " now(), '5 s') WHERE number = 1"
)


def test_no_code_or_challenge_is_removed_before_its_time(login, admin):
    """Neither by times of the caller's nor by a crowd of others: a used one would be good again, or
    stand for another permit."""
    login.execute(MINT, [b"code", "0", "30 s", b"proof"])
    login.execute(ASK, [b"digits", b"v", "0", "30 s"])
    assert [(True,)] == login.execute(USE).fetchall()
    for at, until in (("2 years", "2 years 30 s"), ("-2 years", "-2 years 30 s")):
        login.execute(MINT, [f"at {at}".encode(), at, until, at.encode()])
        login.execute(ASK, [f"at {at}".encode(), b"v", at, until])
    for n in range(30):
        login.execute(ASK, [f"digits {n}".encode(), b"v", "0", "30 s"])

    with pytest.raises(UniqueViolation):
        login.execute(MINT, [b"code", "0", "30 s", b"another proof"])
    assert (False,) == login.execute(ASK, [b"digits", b"v", "0", "30 s"]).fetchone()
    assert [(False,)] == login.execute(USE).fetchall()
    for life in ("0", "-1 s", "2 hours", "infinity"):
        with pytest.raises((RestrictViolation, DatetimeFieldOverflow)):
            login.execute(MINT, [b"c", "0", life, b"p"])
        with pytest.raises((RestrictViolation, DatetimeFieldOverflow)):
            login.execute(ASK, [b"d", b"v", "0", life])

    past = "stored_at = now() - interval '26 hours'"
    admin.execute(f"UPDATE ledger.display_codes SET {past}")
    admin.execute(f"UPDATE ledger.challenges SET {past}")
    login.execute(MINT, [b"new", "0", "30 s", b"its proof"])
    login.execute(ASK, [b"new", b"v", "0", "30 s"])
    assert [(1,), (14,)] == admin.execute(
        "SELECT count(*) FROM ledger.display_codes UNION ALL SELECT count(*) FROM ledger.challenges"
    ).fetchall()


READ = (
    "SELECT ledger.record_read(gen_random_uuid(), %(at)s::timestamptz, 'r', 'c', 'w', 's', '{}',"
    " 'answered', 'x')"
)
REGISTRARS_READ = (
    "SELECT ledger.record_registrar_reads(ARRAY[gen_random_uuid()], '{s}',"
    " ARRAY[%(at)s::timestamptz], '{r}', '{st}', '{w}', '{x}')"
)
CHECK = (
    "SELECT * FROM ledger.check_batch(ARRAY[convert_to(json_build_object("
    "'check_id', gen_random_uuid(), 'checked_at', %(at)s::text, 'track', 'physical',"
    " 'scenario', 's', 'outcome', 'effective', 'as_of_position', 0)::text, 'UTF8')],"
    " '{}', '{}', '{}', '{}', '{}', NULL, '0')"
)


def test_nothing_is_recorded_under_an_odd_instant(login, admin):
    """No program could read it; and where an issuer is known, only the present is recorded."""
    calls = (READ, REGISTRARS_READ, CHECK)
    odd = ["infinity", "-infinity", "4713-01-01 BC", "9999-12-31", "294000-01-01"]
    for call in calls:
        login.execute(call, {"at": "2026-06-01T00:00:00Z"})
    admin.execute("INSERT INTO ledger.issuer (name) VALUES ('https://issuer.example')")

    for at in (*odd, "2026-06-01T00:00:00Z"):
        for call in calls:
            with pytest.raises(DatetimeFieldOverflow):
                login.execute(call, {"at": at})

    for call in calls:
        login.execute(call, {"at": datetime.now(UTC).isoformat()})
    assert (2,) == admin.execute("SELECT position FROM ledger.checks_head").fetchone()


def test_an_event_of_an_unknown_topic_is_refused(everything, login):
    """No version would start on such a log."""
    [event] = on("a").events

    with pytest.raises(RestrictViolation, match=r"the topic a\.unknown\.v1 is not one"):
        write(login, [Append([replace(event, topic="a.unknown.v1")])])


@pytest.mark.parametrize("measure", [Measure.LIFT, Measure.RESTRICT, Measure.ERASE])
def test_no_measure_is_applied_without_its_event(everything, login, admin, measure):
    """Neither alone, nor beside an event of another kind or in another person's stream."""
    one, other, victim = everything
    state = "SELECT restricted, wrapped FROM ledger.holders WHERE holder_id = %s"
    before = admin.execute(state, [victim]).fetchone()
    apply = ApplyProtection(victim, None, 1, measure)

    refused(login, Append([], [apply]))
    refused(login, Append(on(one, version=3).events, [apply]))
    topic = {
        Measure.LIFT: "permit.holder-restriction-lifted.v1",
        Measure.RESTRICT: "permit.holder-restricted.v1",
        Measure.ERASE: "permit.holder-erased.v1",
    }[measure]
    [happened] = on(other, ClaimHolder(b"", victim, other), version=2).events
    elsewhere = type(happened)(other, 2, topic, happened.state)
    refused(login, Append([elsewhere], [apply]))

    assert before == admin.execute(state, [victim]).fetchone()


def test_an_unknown_measure_is_none(everything, login):
    """It would have lifted a restriction."""
    with pytest.raises(RestrictViolation):
        login.execute(
            "SELECT * FROM ledger.append(protect_command => '{0}', protect_holder_id => %s,"
            " protect_permits => '{1}', protect_measure => '{nothing}')",
            [[everything[2]]],
        )


def test_no_picture_is_added_later(everything, login):
    """It belongs to the event that brought it."""
    with pytest.raises(RestrictViolation):
        login.execute(
            "SELECT * FROM ledger.append(portrait_stream => %s, portrait_version => '{1}',"
            " portrait_image => '{x}')",
            [[everything[0]]],
        )


ROOT = hashlib.sha256(b"root").digest()


@pytest.mark.parametrize(
    ("old", "new", "tiles"),
    [
        ((2, ROOT), (2, b"x" * 32), []),
        ((2, ROOT), (1, b"x" * 32), []),
        ((2, ROOT), (4, b"x" * 32), []),
        ((2, ROOT), (3, b"x" * 32), [(0, 0, b"x" * 96)]),
        ((2, ROOT), (3, b"x" * 32), [(0, 0, bytes(64))]),
        ((2, ROOT), (3, b"x" * 32), [(0, 1, b"x" * 32)]),
        ((2, ROOT), (3, b"x" * 32), [(0, -1, b"x" * 32)]),
    ],
    ids=[
        "another root",
        "fewer entries",
        "more than the log",
        "other hashes",
        "too few hashes",
        "beyond the tree",
        "before it",
    ],
)
def test_a_tree_only_grows(everything, login, old, new, tiles):
    """With its log, and every hash that is stored stays."""
    levels, indexes, hashes = ([tile[n] for tile in tiles] for n in range(3))

    with pytest.raises(RestrictViolation):
        login.execute(
            "SELECT ledger.grow_tree('events', %s, %s, %s, %s,"
            " %s::smallint[], %s::bigint[], %s::bytea[])",
            [*old, *new, levels, indexes, hashes],
        )


def test_a_tree_that_has_moved_is_not_moved_again(everything, login):
    """From the state before: the caller is told."""
    assert (False,) == login.execute(
        "SELECT ledger.grow_tree('events', 0, sha256(''), 3, sha256('x'), '{}', '{}', '{}')"
    ).fetchone()


CONTRADICTED = [
    "ledger.keep_checkpoint('events', 2, sha256('x'), '{— a AAAAAAAA}')",
    "ledger.keep_checkpoint('events', 9, sha256('root'), '{— a AAAAAAAA}')",
    "ledger.keep_checkpoint('events', 2, sha256('root'), '{}')",
    "ledger.keep_checkpoint('events', 2, sha256('root'), NULL)",
    "ledger.keep_checkpoint('events', 2, sha256('root'), '{NULL}')",
    "ledger.keep_cosignatures('events', 2, '{no signature}')",
    "ledger.keep_cosignatures('events', 2, '{— a AAAAAAAAA}')",
    "ledger.keep_cosignatures('events', 2, '{— a AAAA=AAA}')",
    "ledger.keep_cosignatures('events', 2, '{— a AAAAAA==}')",
    "ledger.keep_cosignatures('events', 2, E'{\"— a\\x01b AAAAAAAA\"}')",
    "ledger.keep_cosignatures('events', 2, ARRAY['— a ' || repeat('AAAA', 1000)])",
    "ledger.keep_cosignatures('events', 2, array_fill('— a AAAAAAAA'::text, '{17}'))",
    "ledger.keep_cosignatures('events', 1, '{— a AAAAAAAA}')",
    "ledger.add_manifest(2, '{\"log_size\": 1}')",
    "ledger.add_manifest(1, '{\"log_size\": 9}')",
    "ledger.add_manifest(1, '{}')",
]


def test_nothing_is_kept_that_the_tree_contradicts(everything, login, subtests):
    """It would stand where the true one comes."""
    for call in CONTRADICTED:
        with subtests.test(call=call), pytest.raises(RestrictViolation):
            login.execute(f"SELECT {call}")


def test_of_each_key_the_first_line_stays(everything, login, admin):
    """The log's own comes with its checkpoint: no false one is put beside it. Others are few."""
    of_log, of_others = "— log AAAAABBB", [f"— w{n} AAAAAAAA" for n in range(60)]
    login.execute("SELECT ledger.keep_checkpoint('events', 2, %s, %s)", [ROOT, [of_log]])
    kept = [
        login.execute("SELECT ledger.keep_cosignatures('events', 2, %s)", [lines]).fetchone()[0]
        for lines in ([of_log], *([each] for each in of_others))
    ]

    assert [0] + 48 * [1] + 12 * [0] == kept
    stored = admin.execute(
        "SELECT line, signed_at - now() FROM ledger.checkpoints JOIN"
        " ledger.checkpoint_signatures USING (tree, size) ORDER BY number"
    ).fetchall()
    assert ["— log AAAAAAAA", *of_others[:48]] == [line for line, _ in stored]
    assert timedelta(minutes=-1) < stored[0][1] < timedelta(0)


def test_a_manifest_goes_on_from_the_one_before(everything, login, subtests):
    """By its size; with the tree's own root where it is of the whole tree."""
    add = "SELECT ledger.add_manifest(%s, %s)"
    of_map = "UPDATE ledger.last_events SET position = %s"
    true = Manifest(2, ROOT, bytes(32)).entry
    login.execute(of_map, [1])
    login.execute(add, [1, Manifest(1, b"x" * 32, bytes(32)).entry])
    login.execute(of_map, [2])
    for change in (
        {"log_size": 1},
        {"log_size": 3},
        {"log_root": "0" * 64},
        {"map_root": "1" * 64},
        {"map_root": "x"},
        {"more": 1},
    ):
        false = orjson.dumps({**orjson.loads(true), **change}, option=orjson.OPT_SORT_KEYS)
        with subtests.test(change=change), pytest.raises(RestrictViolation):
            login.execute(add, [2, false])

    login.execute(add, [2, true])


def test_the_first_issuer_stays(login):
    """Of two that are told, the later one is not believed."""
    first = "SELECT ledger.remember_issuer('https://first.example')"
    later = "SELECT ledger.remember_issuer('https://mine.example')"

    assert [("https://first.example",)] * 2 == [
        login.execute(each).fetchone() for each in (first, later)
    ]


def test_a_table_of_its_own_is_not_taken_for_the_ledgers(everything, login):
    """The functions find tables by their full names, whatever the session has made."""
    login.execute("CREATE TEMP TABLE holders AS SELECT * FROM ledger.holders")
    login.execute("SET search_path = pg_temp, ledger, public")

    write(login, [on("new", ClaimHolder(b"new", "holder-new", "new"))])

    assert ("holder-new",) == login.execute(
        "SELECT holder_id FROM ledger.holders WHERE citizen_index = 'new'"
    ).fetchone()


def test_what_an_honest_service_does_is_done(everything, ledger, command):
    """A restriction is lifted with its event."""
    _, _, victim = everything

    ledger.holders.lift_restriction(victim, ORDER, command())

    assert not ledger.permit(everything[0]).restricted
