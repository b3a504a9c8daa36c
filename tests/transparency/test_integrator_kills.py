"""Integrators that are killed at any moment, while events come in: there is one history."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from threading import Event, Thread

from ledger.database.connections import as_service, connect
from tests.keks import KEK
from tests.waiting import until as wait_until

until = partial(wait_until, wait_s=30)

KILLS = 3
SEED = os.environ.get("PERMIT_LEDGER_TEST_SEED", "1")


def start(log):
    return subprocess.Popen(
        [sys.executable, "-m", "permit_ledger", "integrate"],
        env=os.environ
        | {
            "PERMIT_LEDGER_DATA_DIR": str(log.folder),
            "PERMIT_LEDGER_DATABASE_URL": as_service(log.url),
            "PERMIT_LEDGER_MANIFEST_INTERVAL_S": "1",
            "PERMIT_LEDGER_BLIND_INDEX_KEY_FILE": str(log.folder / "blind-index"),
        },
        stderr=subprocess.DEVNULL,
    )


def append_without_end(url, stop):
    """Ten events at a time, of as many permits, each with versions that follow on each other."""
    with connect(url) as owner:
        for version in range(1, 100_000):
            with owner.transaction():
                owner.execute(
                    "INSERT INTO ledger.events (position, stream, version, topic, state)"
                    " SELECT position + n, 'P' || n, %s, 'permit.issued.v1', '{}'"
                    " FROM ledger.head, generate_series(1, 10) AS n",
                    [version],
                )
                owner.execute("UPDATE ledger.head SET position = position + 10")
            if stop.wait(0.001):
                return


def test_all_signed_checkpoints_are_of_one_history(log):
    """The leader of two is killed, the other continues; each checkpoint ever kept is one of the
    final tree."""
    chance, stop = random.Random(SEED), Event()  # noqa: S311  moments
    (log.folder / "blind-index").write_text(bytes(range(32)).hex())
    keks = log.folder / "keys" / "key-encryption"
    keks.mkdir(mode=0o700)
    (keks / f"{KEK.kek_id}.key").write_text(bytes(range(32, 64)).hex())
    with ExitStack() as stack:
        writer = Thread(target=append_without_end, args=(log.url, stop))
        writer.start()
        stack.callback(writer.join)
        stack.callback(stop.set)
        roles = [start(log) for _ in range(2)]
        stack.callback(lambda: [role.kill() for role in roles])
        size = "SELECT size FROM ledger.trees WHERE tree = 'events'"
        for _ in range(KILLS):
            before = log.ask(size)
            until(lambda before=before: log.ask(size) > before)
            time.sleep(chance.uniform(0, 0.4))
            victim = roles.pop(0)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            roles.append(start(log))
        stop.set()
        writer.join()
        head = log.ask("SELECT position FROM ledger.head")
        until(lambda: log.ask(size) == head)
        for role in roles:
            role.send_signal(signal.SIGTERM)
            assert role.wait(10) in {0, -signal.SIGTERM}  # the youngest has hardly begun

    result = log.verify()
    assert 0 == result.exit_code, result.output
    assert KILLS < log.ask("SELECT count(*) FROM ledger.checkpoints WHERE tree = 'events'")
