"""``verify-log`` against a superuser of the database: whatever is changed is found, and where."""

import asyncio
import re
from contextlib import closing
from datetime import date

import orjson
import pytest
from psycopg.conninfo import make_conninfo

from domain.data_protection import Order
from ledger.commands.blocking import BlockingLedger
from ledger.commands.runner import Command
from ledger.database.connections import as_service, connect
from ledger.errors import Corrupt
from projections.queries.permits import read_pool
from tests.keks import keyring
from tests.transparency.named import STATE, first, named
from tests.two_officers import erase as erase_by_two
from transparency import last_events
from transparency.last_events import LastEvent
from transparency.manifests import Manifest, ManifestMaker, row_entry
from transparency.merkle import WIDTH, Edge, Node, Tile, hash_in, leaf_hash
from transparency.prefix_tree import BadProof
from transparency.reading import TreeReader
from transparency.store import TreeStore
from transparency.verify import verification


def test_an_unchanged_log_has_no_differences(log, last):
    """Every tree, and every root kept of it."""
    result = log.verify()

    assert 0 == result.exit_code, result.output
    assert "OK: this is the log that was signed" in result.output
    assert f"events: {last} entries" in result.output
    assert "checks: 60 entries" in result.output


def test_rows_that_are_not_signed_yet_are_reported(log, blind_index):
    """They are no difference."""
    log.record(blind_index, 9)
    result = log.verify()

    assert 0 == result.exit_code, result.output
    assert re.search(r"events: .*, \d+ not yet signed", result.output)
    assert "checks: 60 entries" in result.output
    assert "20 not yet signed" in result.output


# -- one row -----------------------------------------------------------------------------------


def test_a_changed_state(log, middle):
    log.attack(f"UPDATE ledger.events SET state = {STATE} WHERE position = {middle}")
    assert ("events", middle, "changed: what is stored is not what was signed") == first(
        log.verify()
    )
    assert 1 == len(named(log.verify()))


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ("topic = 'permit.renewed.v9'", "its topic was permit."),
        ("version = 77", "its version was 2, and is 77 now"),
        ("stream = 'ZZZZZZZZZZZZ'", "and is ZZZZZZZZZZZZ now"),
    ],
)
def test_a_changed_column(log, middle, change, reported):
    log.attack(f"UPDATE ledger.events SET {change} WHERE position = {middle}")
    tree, position, what = first(log.verify())
    assert ("events", middle) == (tree, position)
    assert reported in what


def test_a_deleted_row(log, middle):
    log.attack(f"DELETE FROM ledger.events WHERE position = {middle}")
    assert ("events", middle, "missing: nothing is stored here") == first(log.verify())


@pytest.mark.parametrize("count", [1, 3])
def test_deleted_last_rows(log, last, count):
    """With the head put back as well."""
    log.attack(
        f"DELETE FROM ledger.events WHERE position > {last - count}",
        f"UPDATE ledger.head SET position = {last - count}",
    )
    tree, position, what = first(log.verify())
    assert ("events", last - count + 1) == (tree, position)
    assert "missing" in what


def test_deleted_last_rows_and_a_tree_put_back(log, last, signed_template):
    """Tree, tiles and checkpoints as they once were: what is kept outside shows it."""
    sizes = "SELECT max(size) FROM ledger.checkpoints WHERE tree = 'events' AND size < %s"
    before = log.ask(sizes, [last])
    log.attack(
        f"DELETE FROM ledger.events WHERE position > {before}",
        f"UPDATE ledger.head SET position = {before}",
        f"DELETE FROM ledger.checkpoint_signatures WHERE tree = 'events' AND size > {before}",
        f"DELETE FROM ledger.checkpoints WHERE tree = 'events' AND size > {before}",
        f"UPDATE ledger.trees SET (size, root) = (SELECT size, root FROM ledger.checkpoints"
        f" WHERE tree = 'events' AND size = {before}) WHERE tree = 'events'",
    )
    result = log.verify()
    assert ("events", before + 1) == first(result)[:2]
    assert f"is of {last} entries, the log ends at {before}" in result.output


def test_swapped_rows(log, middle, last):
    log.attack(
        f"UPDATE ledger.events SET position = 1000000 WHERE position = {middle}",
        f"UPDATE ledger.events SET position = {middle} WHERE position = {last}",
        f"UPDATE ledger.events SET position = {last} WHERE position = 1000000",
    )
    found = named(log.verify())
    assert ("events", middle, f"swapped with {last}") == found[0]
    assert ("events", last, f"swapped with {middle}") in found
    moved = "unchanged, but its permit's version before is not where it was"
    assert {moved} == {what for _, _, what in found if not what.startswith("swapped")}


def test_swapped_ciphertexts(log):
    """Two events' sealed boxes; all that is plain stays where it was."""
    box = "(convert_from(state, 'UTF8')::jsonb #>> '{sealed,box}')"
    one, other = (
        log.ask(
            f"SELECT position FROM ledger.events WHERE {box} IS NOT NULL"
            f" ORDER BY position OFFSET {offset} LIMIT 1"
        )
        for offset in (4, 9)
    )
    boxes = [
        log.ask(f"SELECT {box} FROM ledger.events WHERE position = {at}") for at in (one, other)
    ]
    swap = (
        "UPDATE ledger.events SET state = convert_to(replace(convert_from(state, 'UTF8'),"
        " '{}', '{}'), 'UTF8') WHERE position = {}"
    )
    log.attack(swap.format(*boxes, one), swap.format(*boxes[::-1], other))

    found = named(log.verify())
    assert [("events", one), ("events", other)] == [each[:2] for each in found[:2]]


# -- more and fewer rows -----------------------------------------------------------------------


def test_an_inserted_row_at_the_end(log, last):
    """The head does not know of it."""
    log.attack(
        "INSERT INTO ledger.events SELECT %s, stream, 99, topic, state, salt FROM ledger.events"
        " WHERE position = 5" % (last + 1)
    )
    assert ("events", last + 1, f"inserted: the log's head is {last}") == first(log.verify())


def test_an_inserted_row_in_the_middle(log, middle, last):
    """All others moved on by one, the head too."""
    log.attack(
        f"UPDATE ledger.events SET position = position + 1000000 WHERE position >= {middle}",
        "UPDATE ledger.events SET position = position - 999999 WHERE position > 1000000",
        f"INSERT INTO ledger.events SELECT {middle}, 'ZZZZZZZZZZZZ', 1, topic, state, salt"
        f" FROM ledger.events WHERE position = 5",
        "UPDATE ledger.head SET position = position + 1",
    )
    result = log.verify()
    expected = f"inserted or moved here: what belongs here stands at {middle + 1}"
    assert ("events", middle, expected) == first(result)
    assert f"{last - middle + 1} positions differ" in result.output


def test_renumbered_rows(log, middle):
    """One taken out, and those after it moved up."""
    log.attack(
        f"DELETE FROM ledger.events WHERE position = {middle}",
        f"UPDATE ledger.events SET position = position + 1000000 WHERE position > {middle}",
        "UPDATE ledger.events SET position = position - 1000001 WHERE position > 1000000",
        "UPDATE ledger.head SET position = position - 1",
    )
    assert ("events", middle) == first(log.verify())[:2]


@pytest.mark.parametrize("far", [10**6, 2**62])
def test_a_head_that_is_far_ahead(log, last, far):
    """The tree and a row are as well: the first missing position is found at once."""
    log.attack(
        f"UPDATE ledger.head SET position = {far}",
        f"UPDATE ledger.trees SET size = {far} WHERE tree = 'events'",
        f"INSERT INTO ledger.events VALUES ({far}, 'ZZZZZZZZZZZZ', 1, 'a', 'b')",
    )
    found = named(log.verify())
    assert ("events", last + 1, "missing: nothing is stored here") in found


def test_a_tree_that_was_set_back(log, last):
    """Its checkpoints were not."""
    log.attack("UPDATE ledger.trees SET size = 9 WHERE tree = 'events'")
    result = log.verify()
    assert "the tree's own row has another root of 9 entries" in first(result)[2]
    assert "the checkpoints kept go on to" in result.output


# -- tiles -------------------------------------------------------------------------------------


def test_a_changed_tile_of_leaves(log):
    """The row is as it was; the tile above says which of them is wrong."""
    log.attack(
        "UPDATE ledger.tiles SET hashes = set_byte(hashes, 33, get_byte(hashes, 33) # 1)"
        " WHERE tree = 'events' AND level = 0 AND index = 0"
    )
    found = named(log.verify())
    assert ("events", 2, "changed: what is stored is not what was signed") in found
    assert ("events", 1, "tile 1/0 says something else of the entries from 1 to 256") in found


def test_a_missing_tile(log):
    log.attack("DELETE FROM ledger.tiles WHERE tree = 'events' AND level = 0 AND index = 0")
    assert ("events", 1, "tile 0/0 is missing, or not whole") == first(log.verify())


def test_a_changed_upper_tile(log):
    log.attack(
        "UPDATE ledger.tiles SET hashes = set_byte(hashes, 3, get_byte(hashes, 3) # 1)"
        " WHERE tree = 'events' AND level = 1"
    )
    tree, position, what = first(log.verify())
    assert ("events", 1) == (tree, position)
    assert what.startswith("tile 1/0 says something else of the entries from 1 to 256")


# -- checks and manifests ----------------------------------------------------------------------


def test_a_removed_check(log):
    log.attack("DELETE FROM ledger.checks WHERE position = 17")
    assert ("checks", 17, "missing: nothing is stored here") == first(log.verify())


def test_removed_last_checks(log):
    log.attack(
        "DELETE FROM ledger.checks WHERE position > 58",
        "UPDATE ledger.checks_head SET position = 58",
    )
    assert ("checks", 59) == first(log.verify())[:2]


@pytest.mark.parametrize(
    "change",
    [
        "checked_at = checked_at + interval '1 s'",
        "checked_at = 'infinity'",
        "checked_at = '4713-01-01 BC'",
        "permit_number = NULL",
        "track = 'electronic'",
        "scenario = 'hotel'",
        "outcome = 'not_effective'",
        "reason = 'x'",
        "verifier_index = sha256('x')",
        "as_of_position = 1",
    ],
)
def test_a_changed_column_of_a_check(log, change):
    """The state has the same, and is what was signed."""
    log.attack(f"UPDATE ledger.checks SET {change} WHERE position = 17")
    expected = f"{change.partition(' ')[0]} is not what the state says"
    assert ("checks", 17, expected) == first(log.verify())


def test_a_changed_id_of_a_check(log):
    log.attack("UPDATE ledger.checks SET check_id = gen_random_uuid() WHERE position = 17")
    tree, position, what = first(log.verify())
    assert ("checks", 17) == (tree, position)
    assert "its check_id was 00000000-" in what


def test_a_changed_manifest(log):
    log.attack(
        "UPDATE ledger.manifests SET entry = convert_to(replace(convert_from(entry, 'UTF8'),"
        " '\"map_root\":\"', '\"map_root\":\"1'), 'UTF8') WHERE position = 2"
    )
    assert ("manifests", 2) == first(log.verify())[:2]


def test_a_false_manifest_of_earlier(log, last, blind_index, monkeypatch):
    """The service may add one, get evidence that hides an event, and let true ones follow."""
    with connect(as_service(log.url)) as login:
        [position, entry] = login.execute(
            "SELECT position, entry FROM ledger.manifests ORDER BY position DESC LIMIT 1"
        ).fetchone()
        log.record(blind_index, 8)
        log.integrate("events")
        head = TreeStore(login, "events").head()
        false = Manifest.of(entry)._replace(log_size=head[0], log_root=head[1])
        login.execute("UPDATE ledger.last_events SET position = %s", [head[0]])
        login.execute("SELECT ledger.add_manifest(%s, %s)", [position + 1, false.entry])
    log.record(blind_index, 9)
    log.integrate()
    said = f"manifest {position + 1} has another root of last events than the log makes"

    assert said in log.verify().output
    monkeypatch.setattr(verification, "MANIFEST_ROWS_MAX", 1)
    few = log.verify().output
    assert said not in few
    assert f"{position + 1} older manifests not recomputed: --every-manifest does" in few
    assert said in log.verify("--every-manifest").output
    log.attack(
        "UPDATE ledger.manifests SET entry = %s WHERE position = %s",
        parameters=[false._replace(log_size=last - 1).entry, position + 1],
    )
    assert f"a manifest of {last - 1:,} entries follows one of {last:,}" in log.verify().output


MADE_UP = (
    "''",
    "'x'",
    "decode('00000000', 'hex')",
    "decode('00010000' || repeat('00', 32), 'hex')",
)


def test_a_map_that_the_service_made_up(log, subtests):
    """It proves nothing, and causes no error: evidence goes without it. It is found."""
    stream = log.ask("SELECT min(stream) FROM ledger.events")
    other = LastEvent(1, bytes(32), bytes(16))

    async def check():
        async with read_pool(as_service(log.url), connections_max=1) as pool:
            proof = await TreeReader(pool, "", list).last_event(stream)
            proof.check(stream, other)

    with connect(as_service(log.url)) as login:
        for slots in MADE_UP:
            login.execute(f"UPDATE ledger.last_events_tiles SET slots = {slots}")
            with subtests.test(slots=slots), pytest.raises((BadProof, Corrupt)):
                asyncio.run(check())
    assert "the map of last events lacks" in log.verify().output


def test_a_permit_that_was_left_out_of_the_map(log):
    """With the map made again without it, and a manifest that says so."""
    stream = log.ask("SELECT max(stream) FROM ledger.events")
    log.attack(
        "DELETE FROM ledger.last_events_tiles",
        "UPDATE ledger.last_events SET position = 0, root = decode(repeat('00', 32), 'hex')",
        "UPDATE ledger.manifests SET entry = convert_to(regexp_replace(convert_from(entry, 'UTF8'),"
        " '\"log_size\":[0-9]*', '\"log_size\":1'), 'UTF8')",
        f"UPDATE ledger.events SET position = position + 1000000 WHERE stream = '{stream}'",
    )
    with connect(as_service(log.url)) as login:
        ManifestMaker(login, 0).make(asked=True)
    log.attack(f"UPDATE ledger.events SET position = position - 1000000 WHERE stream = '{stream}'")

    assert f"the map of last events lacks {stream}" in log.verify().output


def test_a_map_that_was_put_back(log, blind_index):
    """To what it was, tiles and all, before the last events."""
    with connect(log.url) as owner:
        owner.execute("CREATE TABLE was AS TABLE ledger.last_events")
        owner.execute("CREATE TABLE tiles AS TABLE ledger.last_events_tiles")
    log.record(blind_index, 9)
    log.integrate()
    log.attack(
        "UPDATE ledger.last_events SET (position, root) = (SELECT position, root FROM was)",
        "DELETE FROM ledger.last_events_tiles",
        "INSERT INTO ledger.last_events_tiles TABLE tiles",
    )

    said = log.verify().output
    assert "the map of last events is not the one of the newest manifest" in said
    assert "the map of last events lacks" in said


def test_a_map_that_was_put_back_with_its_manifests(log, blind_index):
    """And with their tree and its checkpoints: the file beside the database has a later one."""
    with connect(log.url) as owner:
        owner.execute("CREATE TABLE was AS TABLE ledger.last_events")
        owner.execute("CREATE TABLE tiles AS TABLE ledger.last_events_tiles")
    before = log.ask("SELECT max(position) FROM ledger.manifests")
    log.record(blind_index, 9)
    log.integrate()
    log.attack(
        "UPDATE ledger.last_events SET (position, root) = (SELECT position, root FROM was)",
        "DELETE FROM ledger.last_events_tiles",
        "INSERT INTO ledger.last_events_tiles TABLE tiles",
        f"DELETE FROM ledger.manifests WHERE position > {before}",
        f"DELETE FROM ledger.checkpoint_signatures WHERE tree = 'manifests' AND size > {before}",
        f"DELETE FROM ledger.checkpoints WHERE tree = 'manifests' AND size > {before}",
        f"UPDATE ledger.trees SET (size, root) = (SELECT size, root FROM ledger.checkpoints"
        f" WHERE tree = 'manifests' AND size = {before}) WHERE tree = 'manifests'",
    )

    result = log.verify()
    assert ("manifests", before + 1) == first(result)[:2]
    assert f"manifests.checkpoint is of {before + 1} entries, the log ends at" in result.output


TILES = "ledger.last_events_tiles"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "UPDATE ledger.last_events SET root = sha256('x')",
            "the map of last events is not the one of the newest manifest",
        ),
        (
            f"UPDATE {TILES} SET slots = set_byte(slots, 4, get_byte(slots, 4) # 1)"
            " WHERE path = ''",
            "the tile at the top of the map of last events was changed",
        ),
        (
            f"DELETE FROM {TILES} WHERE path = (SELECT max(path) FROM {TILES})",
            "the map of last events lacks",
        ),
        (
            f"UPDATE {TILES} SET slots = '\\x80008000' || sha256('key') || sha256('value')"
            f" WHERE path = (SELECT max(path) FROM {TILES})",
            "the map of last events has a key of no permit: 2c70e12b7a0646f9",
        ),
    ],
    ids=["its root", "a hash", "a tile", "a leaf"],
)
def test_a_changed_map(log, change, said):
    """Though its manifests are as they were signed."""
    log.attack(change)
    result = log.verify()

    assert 1 == result.exit_code, result.output
    assert said in result.output


def test_a_map_is_made_in_steps(log, blind_index, monkeypatch):
    """And goes on where it was; each step has its manifest."""
    monkeypatch.setattr(last_events, "STEP_MAX", 100)
    log.record(blind_index, 9)
    with connect(as_service(log.url)) as login:
        maker, steps = ManifestMaker(login, 0), 1
        log.integrate("events")
        while not maker.make(asked=True):
            maker, steps = ManifestMaker(login, 0), steps + 1
    log.integrate("manifests")

    assert steps > 1
    assert 0 == log.verify("--every-manifest").exit_code


def test_a_map_that_cannot_be_kept_up_is_not_tried_over_and_over(log, blind_index):
    """It reads as much as one that can, and entries have to be signed meanwhile."""
    log.record(blind_index, 9)
    log.integrate("events")
    log.attack("UPDATE ledger.last_events SET root = sha256(root)")
    with connect(as_service(log.url)) as login:
        maker = ManifestMaker(login, 600)
        with pytest.raises(Corrupt):
            maker.make(asked=False)

        assert not maker.make(asked=False)


# -- audit reads and salts -----------------------------------------------------------------------


def test_a_removed_look_into_the_audit(log):
    log.attack("DELETE FROM ledger.audit_reads WHERE entry = 5")
    assert ("audit-reads", 5, "missing: nothing is stored here") == first(log.verify())


def test_removed_last_looks(log):
    log.attack(
        "DELETE FROM ledger.audit_reads WHERE entry > 10",
        "UPDATE ledger.audit_reads_head SET entry = 10",
    )
    assert ("audit-reads", 11) == first(log.verify())[:2]


def test_looks_that_were_numbered_again(log):
    """One taken out, and those after it moved up."""
    log.attack(
        "DELETE FROM ledger.audit_reads WHERE entry = 5",
        "UPDATE ledger.audit_reads SET entry = -entry WHERE entry > 5",
        "UPDATE ledger.audit_reads SET entry = -entry - 1 WHERE entry < 0",
        "UPDATE ledger.audit_reads_head SET entry = entry - 1",
    )
    assert ("audit-reads", 5) == first(log.verify())[:2]


def test_a_removed_look_with_its_tree_put_back(log):
    """What is kept outside has a later checkpoint."""
    before = log.ask(
        "SELECT max(size) FROM ledger.checkpoints WHERE tree = 'audit-reads'"
        " AND size < (SELECT entry FROM ledger.audit_reads_head)"
    )
    log.attack(
        f"DELETE FROM ledger.audit_reads WHERE entry > {before}",
        f"UPDATE ledger.audit_reads_head SET entry = {before}",
        f"DELETE FROM ledger.checkpoint_signatures WHERE tree = 'audit-reads' AND size > {before}",
        f"DELETE FROM ledger.checkpoints WHERE tree = 'audit-reads' AND size > {before}",
        f"UPDATE ledger.trees SET (size, root) = (SELECT size, root FROM ledger.checkpoints"
        f" WHERE tree = 'audit-reads' AND size = {before}) WHERE tree = 'audit-reads'",
    )
    result = log.verify()
    assert ("audit-reads", before + 1) == first(result)[:2]
    assert f"is of 12 entries, the log ends at {before}" in result.output


@pytest.mark.parametrize("change", ["reader = 'nobody'", "subject = NULL", "case_number = 'B-2'"])
def test_a_changed_look_into_the_audit(log, change):
    log.attack(f"UPDATE ledger.audit_reads SET {change} WHERE entry = 5")
    said = "changed: what is stored is not what was signed"
    assert ("audit-reads", 5, said) == first(log.verify())


@pytest.mark.parametrize("salt", ["NULL", "sha256('x')::bytea", "(SELECT salt FROM other)"])
def test_a_changed_salt(log, middle, salt):
    if "sha256" in salt:
        salt = "substring(sha256('x') FOR 16)"
    log.attack(
        f"CREATE TEMP TABLE other AS SELECT salt FROM ledger.events WHERE position = {middle + 1}",
        f"UPDATE ledger.events SET salt = {salt} WHERE position = {middle}",
    )
    said = "changed: what is stored is not what was signed"
    assert ("events", middle, said) == first(log.verify())


@pytest.mark.parametrize(
    ("table", "place", "tree"),
    [("checks", "position", "checks"), ("audit_reads", "entry", "audit-reads")],
)
def test_a_changed_salt_of_another_log(log, table, place, tree):
    log.attack(f"UPDATE ledger.{table} SET salt = substring(sha256('x') FOR 16) WHERE {place} = 5")
    said = "changed: what is stored is not what was signed"
    assert (tree, 5, said) == first(log.verify())


def test_a_changed_salt_of_a_last_event(log):
    """The map has it too, under the name of the permit."""
    [(stream, position)] = log.rows(
        "SELECT stream, position FROM ledger.events ORDER BY stream DESC, version DESC LIMIT 1"
    )
    log.attack(
        f"UPDATE ledger.events SET salt = substring(sha256('x') FOR 16) WHERE position = {position}"
    )
    result = log.verify()
    assert ("events", position) == first(result)[:2]
    assert f"the map of last events has another one of {stream} than the log" in result.output


def test_a_log_that_changed_over_in_the_middle(unsigned_log, blind_index):
    """Rows that were recorded without a salt, and a manifest of their permits, stay as they are."""
    log = unsigned_log
    log.record(blind_index, 1)
    log.attack("UPDATE ledger.events SET salt = NULL", "UPDATE ledger.checks SET salt = NULL")
    log.integrate("events")
    with connect(log.url) as owner:
        size, root = TreeStore(owner, "events").head()
        edge = Edge(0, {})
        for stream, version, position in owner.execute(
            'SELECT DISTINCT ON (stream COLLATE "C") stream, version, position FROM ledger.events'
            ' ORDER BY stream COLLATE "C", version DESC'
        ):
            leaf = hash_in(
                Node(0, position - 1),
                TreeStore(owner, "events").tiles([Tile(0, (position - 1) // WIDTH)]),
            )
            edge.grow([leaf_hash(row_entry(stream, version, leaf))])
        entry = orjson.dumps(
            {
                "log_root": root.hex(),
                "log_size": size,
                "manifest_root": edge.root.hex(),
                "permits": edge.size,
            }
        )
        owner.execute("INSERT INTO ledger.manifests VALUES (1, %s)", [entry])
    log.record(blind_index, 2)
    log.integrate()

    result = log.verify("--every-manifest")
    assert 0 == result.exit_code, result.output
    log.attack(
        "UPDATE ledger.manifests SET entry = convert_to(replace(convert_from(entry, 'UTF8'),"
        " '\"permits\":', '\"permits\":1'), 'UTF8') WHERE position = 1"
    )
    assert "manifest 1 is of 1" in log.verify("--every-manifest").output


# -- an honest change --------------------------------------------------------------------------


def test_verification_needs_only_read_access(log, new_login):
    """A user who may only read the ledger's tables can verify it."""
    auditor = new_login()
    with connect(log.url) as owner:
        owner.execute(f"GRANT USAGE ON SCHEMA ledger TO {auditor}")
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {auditor}")

    result = log.run("verify-log", url=make_conninfo(log.url, user=auditor))

    assert 0 == result.exit_code, result.output


def test_after_an_erasure_everything_verifies(log, blind_index, context, last):
    """Keys, pictures and indexes are deleted; signed data and copies of it are unchanged."""
    kept, copy = log.checkpoint(), log.folder.with_name("copy")
    assert 0 == log.run("copy-log", str(copy), "--entries").exit_code
    holder = log.ask(
        "SELECT holder_id FROM ledger.holders WHERE permit_number ="
        " (SELECT stream FROM ledger.events WHERE position = 5)"
    )
    order, until = Order("PIPL 47", "case 2026-7"), date(2026, 12, 28)
    with closing(
        BlockingLedger(as_service(log.url), blind_index=blind_index, keyring=keyring())
    ) as ledger:
        erase_by_two(ledger, holder, order, until, Command(context))
    log.integrate()

    result = log.verify("--against", str(kept), "--tiles", str(copy))
    assert 0 == result.exit_code, result.output
    assert f"events: {last + 2} entries" in result.output
