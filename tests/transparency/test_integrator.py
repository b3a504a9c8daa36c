"""The integrator: in batches, after crashes, on a restored database, and with a second one."""

import asyncio
import shutil
import tracemalloc
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from ledger.database.connections import as_service, connect
from ledger.errors import LogBehind, LogGap
from permit_ledger.keys.log_keys import WatchedSigners, add_keys, known_verifiers, retire_key
from projections.queries.permits import read_pool
from tests.transparency.signed_log import SignedLog, check, settings
from tests.waiting import until as wait_until
from transparency import integrator as integrating
from transparency import predecessors, runner
from transparency.integrator import Forked, Integrator
from transparency.last_signed import LastSignedStore
from transparency.logs import LOGS
from transparency.notes import SIGNATURES_MAX, Note, Signature, TreeHead
from transparency.read_ahead import ReadAhead
from transparency.reading import TreeReader
from transparency.runner import IntegratorRunner

STATE = b'{"timestamp":"2026-11-23T02:00:00+00:00"}'

until = partial(wait_until, wait_s=180)


@dataclass
class Tree:
    """Of one log, and what was signed."""

    log: SignedLog
    name: str = "events"

    def open(self, connection, ahead=None):
        memory = LastSignedStore(self.log.folder / "tree", self.name)
        given = settings(self.log.folder)
        signers = WatchedSigners(given).of(self.name)
        return Integrator(connection, LOGS[self.name], given.origin, signers, memory, ahead)

    def integrate(self):
        with connect(as_service(self.log.url)) as connection:
            integrator = self.open(connection)
            while integrator.step():
                pass

    @property
    def head(self):
        with connect(self.log.url) as owner:
            query = "SELECT size, root FROM ledger.trees WHERE tree = %s"
            return owner.execute(query, [self.name]).fetchone()


@pytest.fixture
def fresh(database_url, tmp_path):
    """Nothing recorded, nothing signed."""
    return SignedLog(database_url, tmp_path / "data")


@pytest.fixture
def append(fresh):
    """``append(n)``: so many events, of as many permits."""
    return lambda count, state=STATE: add(fresh.url, count, state)


def add(url, count, state=STATE, stream="P", topic="'test.happened.v1'"):
    with connect(url) as owner, owner.transaction():
        owner.execute(
            "INSERT INTO ledger.events (position, stream, version, topic, state)"
            f" SELECT position + n, %s || (position + n), 1, {topic}, %s"
            " FROM ledger.head, generate_series(1, %s) AS n",
            [stream, state, count],
        )
        owner.execute("UPDATE ledger.head SET position = position + %s", [count])


# -- batches -----------------------------------------------------------------------------------


def test_a_step_takes_a_batch(fresh, append, monkeypatch):
    """So many at most, each batch with its checkpoint; at the end there is nothing to do."""
    monkeypatch.setattr(integrating, "BATCH_MAX", 1000)
    append(2_300)
    with connect(as_service(fresh.url)) as connection:
        integrator = Tree(fresh).open(connection)
        assert [1000, 1000, 300, 0] == [integrator.step() for _ in range(4)]
    assert 0 == fresh.verify().exit_code
    kept = "SELECT array_agg(size ORDER BY size) FROM ledger.checkpoints WHERE tree = 'events'"
    assert [0, 1000, 2000, 2300] == fresh.ask(kept)


def test_the_root_does_not_depend_on_the_batches(fresh, append, monkeypatch):
    """However the log was divided into batches."""
    append(700)
    Tree(fresh).integrate()
    at_once = Tree(fresh).head
    fresh.attack(
        "DELETE FROM ledger.tiles",
        "DELETE FROM ledger.checkpoint_signatures",
        "DELETE FROM ledger.checkpoints",
        "UPDATE ledger.trees SET size = 0, root = sha256('')",
    )
    shutil.rmtree(fresh.folder / "tree")
    monkeypatch.setattr(integrating, "BATCH_MAX", 37)
    Tree(fresh).integrate()
    assert at_once == Tree(fresh).head


def test_rows_that_are_read_ahead_name_their_predecessors(fresh, monkeypatch):
    """One in the same batch, in an earlier one, and one that is in memory no more."""
    monkeypatch.setattr(integrating, "BATCH_MAX", 50)
    monkeypatch.setattr(predecessors, "STREAMS_MAX", 40)
    with connect(fresh.url) as owner, owner.transaction():
        owner.execute(
            "INSERT INTO ledger.events (position, stream, version, topic, state)"
            " SELECT n + 1, 'P' || n %% 40, 1 + n / 40, 'test.happened.v1', %s"
            " FROM generate_series(0, 999) AS n",
            [STATE],
        )
        owner.execute("UPDATE ledger.head SET position = 1000")
    url = as_service(fresh.url)
    with connect(url) as connection, ReadAhead(url) as ahead:
        integrator = Tree(fresh).open(connection, ahead)
        assert [50] * 20 == [integrator.step() for _ in range(20)]
    assert 0 == fresh.verify().exit_code


def test_memory_does_not_grow_with_the_log(fresh, append, monkeypatch):
    """The edge is kept, a batch, and the last leaves of some streams."""
    monkeypatch.setattr(integrating, "BATCH_MAX", 1000)
    monkeypatch.setattr(predecessors, "STREAMS_MAX", 100)
    append(1_000)
    with connect(as_service(fresh.url)) as connection:
        integrator = Tree(fresh).open(connection)
        integrator.step()
        append(12_000)
        integrator.step()
        tracemalloc.start()
        for _ in range(10):
            integrator.step()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 13_000 - 1_000 == integrator.size
    assert 12_000 * 32 > grown


# -- crashes and backups -----------------------------------------------------------------------


def test_a_crash_before_the_commit(fresh, append):
    """The checkpoint was signed and kept outside, but is not in the database: the next run computes
    the same root."""
    append(10)
    Tree(fresh).integrate()
    append(10)
    with connect(as_service(fresh.url)) as connection, suppress(ZeroDivisionError):
        integrator = Tree(fresh).open(connection)
        with connection.transaction():  # the step's own is within this one
            integrator.step()
            raise ZeroDivisionError
    assert 10 == Tree(fresh).head[0]
    promised = LastSignedStore(fresh.folder / "tree", "events").recall()
    assert 20 == promised.size

    append(10)
    assert 0 == fresh.verify().exit_code  # what was signed agrees with the rows already
    Tree(fresh).integrate()

    assert 30 == Tree(fresh).head[0]
    assert 1 == fresh.ask("SELECT count(*) FROM ledger.checkpoints WHERE size = 20")
    assert 0 == fresh.verify().exit_code


def put_back(log, to):
    """As a backup would: everything as it was at ``to`` entries."""
    log.attack(
        f"DELETE FROM ledger.events WHERE position > {to}",
        f"UPDATE ledger.head SET position = {to}",
        f"DELETE FROM ledger.checkpoint_signatures WHERE tree = 'events' AND size > {to}",
        f"DELETE FROM ledger.checkpoints WHERE tree = 'events' AND size > {to}",
        "UPDATE ledger.trees SET (size, root) = (SELECT size, root FROM ledger.checkpoints"
        f" WHERE tree = 'events' AND size = {to}) WHERE tree = 'events'",
    )


def test_a_restored_backup_stops_the_integrator(fresh, append):
    """Nothing is signed; the error says what to do."""
    append(10)
    Tree(fresh).integrate()
    append(10)
    Tree(fresh).integrate()
    put_back(fresh, 10)
    with pytest.raises(LogBehind, match=r"20 entries were signed .* restored from a backup"):
        Tree(fresh).integrate()
    append(4)
    with pytest.raises(LogBehind, match="verify-log"):
        Tree(fresh).integrate()
    assert 10 == Tree(fresh).head[0]


def test_a_backup_with_another_history_on_top(fresh, append):
    """Its root differs from the one signed for as many entries: it stops before it signs."""
    append(10)
    Tree(fresh).integrate()
    append(10)
    Tree(fresh).integrate()
    put_back(fresh, 10)
    append(15, b'{"other":1}')
    with pytest.raises(Forked, match="another history of 20 entries was signed"):
        Tree(fresh).integrate()
    assert 10 == Tree(fresh).head[0]
    assert 10 == fresh.ask("SELECT max(size) FROM ledger.checkpoints")
    result = fresh.verify()
    assert "events.checkpoint has another root of 20 entries" in result.output
    assert "differ somewhere from 11 to 20" in result.output


def test_a_backup_whose_lost_part_is_back(fresh, append):
    """The rows are the same: it continues."""
    append(10)
    Tree(fresh).integrate()
    append(10)
    Tree(fresh).integrate()
    before = Tree(fresh).head
    salts = fresh.rows("SELECT position, salt FROM ledger.events WHERE position > 10")
    put_back(fresh, 10)
    append(10)
    for position, salt in salts:
        fresh.attack(
            f"UPDATE ledger.events SET salt = '\\x{salt.hex()}' WHERE position = {position}"
        )
    Tree(fresh).integrate()
    assert before == Tree(fresh).head


def test_another_origin_is_refused(fresh, append, monkeypatch):
    """A log keeps its name."""
    append(1)
    Tree(fresh).integrate()
    memory = LastSignedStore(fresh.folder / "tree", "events")
    signers = WatchedSigners(settings(fresh.folder)).of("events")
    with (
        connect(as_service(fresh.url)) as connection,
        pytest.raises(Forked, match="PERMIT_LEDGER_ORIGIN"),
    ):
        Integrator(connection, LOGS["events"], "other", signers, memory)


def test_a_gap_in_the_log_is_not_skipped(fresh, append):
    """Not even at the end of a batch."""
    append(20)
    fresh.attack("DELETE FROM ledger.events WHERE position = 7")
    with pytest.raises(LogGap, match="nothing is at position 7"):
        Tree(fresh).integrate()
    fresh.attack("DELETE FROM ledger.events WHERE position = 20")
    fresh.attack("DELETE FROM ledger.events WHERE position < 7")
    with pytest.raises(LogGap, match="nothing is at position 1;"):
        Tree(fresh).integrate()
    assert 0 == Tree(fresh).head[0]


@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint\n", b"a\n1\nAAAA\n\n\xe2\x80\x94 a AAAAAAAA\n"]
)
def test_an_unreadable_last_signed_checkpoint_stops_signing(fresh, append, content):
    """Without it, a second history could be signed."""
    append(1)
    Tree(fresh).integrate()
    file = LastSignedStore(fresh.folder / "tree", "events").file
    file.write_bytes(content)
    append(1)
    with pytest.raises(ValueError, match=r"events\.checkpoint"):
        Tree(fresh).integrate()
    assert 1 == Tree(fresh).head[0]
    result = fresh.verify()
    assert 1 == result.exit_code
    assert "events.checkpoint" in result.output


def test_a_tile_that_is_gone(fresh, append):
    append(300)
    Tree(fresh).integrate()
    fresh.attack("DELETE FROM ledger.tiles WHERE level = 1")
    with pytest.raises(Forked, match="tile"):
        Tree(fresh).integrate()


STATES = [b"", b"\xff\xfe\x00", b"[" * 100_000, b'"\\ud800"', b"1" * 1_000_000]


def test_unreadable_events_are_integrated_too(fresh):
    """Invalid states and names of any length are in the tree, and served."""
    for state in STATES:
        add(fresh.url, 1, state)
    add(fresh.url, 1, stream="x" * 100_000)
    add(fresh.url, 1, topic="repeat('\x01', 100000)")
    add(fresh.url, 1)
    Tree(fresh).integrate()
    assert 0 == fresh.verify().exit_code
    copy = fresh.folder.with_name("copy")
    assert 0 == fresh.run("copy-log", str(copy), "--entries").exit_code
    assert 0 == fresh.verify("--tiles", str(copy)).exit_code


# -- lines of others ---------------------------------------------------------------------------


FALSE = "INSERT INTO ledger.checkpoint_signatures (tree, size, line, is_cosignature) VALUES"


def served(log):
    """The newest checkpoint and the first, as they are served."""
    keys = known_verifiers(settings(log.folder))

    async def read():
        async with read_pool(as_service(log.url), connections_max=1) as pool:
            reader = TreeReader(pool, settings(log.folder).origin, lambda: keys)
            return await reader.newest(LOGS["events"]), await reader.oldest(LOGS["events"], 1)

    return asyncio.run(read())


def false_line(verifier):
    return str(Signature(verifier.name, verifier.key_id, bytes(64)))


def test_lines_that_are_no_signatures_of_the_log_stop_nothing(fresh, append):
    """They are not served, and it signs on: also where one stood before the log's own."""
    append(10)
    Tree(fresh).integrate()
    [old] = [key for key in known_verifiers(settings(fresh.folder)) if key.name.endswith("ledger")]
    fresh.attack(
        f"{FALSE} ('events', 10, 'no base64', false)",
        f"{FALSE} ('events', 10, '{false_line(old)}', true)",
    )
    new = add_keys(settings(fresh.folder))[0].verifier
    with connect(as_service(fresh.url)) as login:
        keep = "SELECT ledger.keep_cosignatures('events', 10, %s)"
        assert (1,) == login.execute(keep, [[false_line(new)]]).fetchone()
    with capture_logs() as logs:
        Tree(fresh).integrate()

    assert ["another line stands under the log's key"] == [line["event"] for line in logs]
    fresh.attack(
        f"{FALSE} ('events', 10, '— other.example/w AAAAAAAA', false)",
        "INSERT INTO ledger.checkpoint_signatures (tree, size, line, is_cosignature) SELECT"
        " 'events', 10, '— w' || n || ' AAAAAAAA', true FROM generate_series(1, 80) AS n",
    )
    assert SIGNATURES_MAX == len(Note.of(str(served(fresh)[0])).signatures)
    fresh.attack("DELETE FROM ledger.checkpoint_signatures WHERE line LIKE '— w%'")
    newest, _ = served(fresh)
    assert [old.key_id, b"\0\0\0\0"] == [each.key_id for each in newest.signatures]
    append(5)
    Tree(fresh).integrate()
    newest, oldest = served(fresh)
    assert 15 == TreeHead.of(newest.text).size
    assert {old.key_id, new.key_id} == {each.key_id for each in newest.verified([old, new])}
    assert 10 == TreeHead.of(oldest.text).size


def test_a_checkpoint_that_the_log_has_not_signed_is_not_served(fresh, append):
    """The one before is; the integrator signs it as soon as it finds the tree there."""
    append(10)
    Tree(fresh).integrate()
    [key] = [key for key in known_verifiers(settings(fresh.folder)) if key.name.endswith("ledger")]
    append(5)
    promised = LastSignedStore(fresh.folder / "tree", "events").file.read_bytes()
    with connect(as_service(fresh.url)) as login, suppress(ZeroDivisionError):
        integrator = Tree(fresh).open(login)
        integrator._store.keep_checkpoint = lambda note: login.execute(
            "SELECT ledger.keep_checkpoint('events', 15, %s, %s)",
            [TreeHead.of(note.text).root, [false_line(key)]],
        )
        integrator.step()
    LastSignedStore(fresh.folder / "tree", "events").file.write_bytes(promised)

    assert [10, 10] == [TreeHead.of(note.text).size for note in served(fresh)]
    assert "the signature of localhost/permit-ledger is invalid" in fresh.verify().output
    append(1)
    Tree(fresh).integrate()
    assert 16 == TreeHead.of(served(fresh)[0].text).size


# -- running -----------------------------------------------------------------------------------


@pytest.fixture
def running(fresh, monkeypatch):
    """An integrator at work in a thread, as the role has it."""
    monkeypatch.setattr(runner, "BATCH_S", 0.02)
    monkeypatch.setattr(runner, "LEASE", replace(runner.LEASE, poll_s=0.02))
    monkeypatch.setattr(runner, "STOPPED_S", 0.2)
    monkeypatch.setattr("permit_ledger.keys.log_keys.LOOK_AGAIN_S", 0.02)
    given, stop = settings(fresh.folder), Event()
    threads = [
        Thread(
            target=IntegratorRunner(
                as_service(fresh.url),
                given.origin,
                WatchedSigners(given),
                given.tree_dir,
                stop,
                manifest_interval_s=1,
            ).run
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    yield given
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_only_one_of_two_integrators_leads(fresh, append, running):
    """When its connection ends, one of them continues."""
    append(50)
    until(lambda: Tree(fresh).head[0] == 50)
    holders = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert 1 == fresh.ask(holders)
    for size in (100, 150, 200):
        fresh.ask(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'permit-ledger integrate'"
        )
        append(50)
        until(lambda wanted=size: Tree(fresh).head[0] == wanted)
    assert 0 == fresh.verify().exit_code


def test_a_stopped_tree_does_not_stop_the_others(fresh, append, running):
    """The database has the reason, until it continues."""
    append(10)
    until(lambda: Tree(fresh).head[0] == 10)
    stopped = "SELECT stopped FROM ledger.trees WHERE tree = '{}'"
    with capture_logs() as logs:
        fresh.attack("UPDATE ledger.head SET position = 12")
        until(lambda: fresh.ask(stopped.format("events")))
        until(lambda: any(line["event"] == "nothing is signed" for line in logs))
    assert "nothing is at position 11" in fresh.ask(stopped.format("events"))

    with connect(fresh.url) as owner:
        check(owner, [1, 2, 3])
    until(lambda: Tree(fresh, "checks").head[0] == 3)
    assert fresh.ask(stopped.format("checks")) is None

    fresh.attack("UPDATE ledger.head SET position = 10")
    append(5)
    until(lambda: Tree(fresh).head[0] == 15)
    assert fresh.ask(stopped.format("events")) is None


def test_keys_are_added_and_retired_while_it_runs(fresh, append, running):
    """A new key signs the existing checkpoint at once; a retired one only verifies."""
    append(10)
    until(lambda: Tree(fresh).head[0] == 10)
    signatures = (
        "SELECT count(*) FROM ledger.checkpoint_signatures WHERE tree = 'events' AND size = {}"
    )
    old = known_verifiers(running)[0]
    add_keys(running)
    until(lambda: fresh.ask(signatures.format(10)) == 2)
    append(10)
    until(lambda: Tree(fresh).head[0] == 20)
    assert 2 == fresh.ask(signatures.format(20))

    retire_key(running, old.key_id.hex())
    until(lambda: append(1) or fresh.ask(newest_signatures()) == 1)
    assert 0 == fresh.verify().exit_code


def newest_signatures():
    return (
        "SELECT count(*) FROM ledger.checkpoint_signatures AS s WHERE tree = 'events' AND size ="
        " (SELECT max(size) FROM ledger.checkpoints WHERE tree = 'events')"
    )
