"""Invariant 2: the disk fills up, under the tables or under the write-ahead log."""

import os
import shutil
import subprocess

import pytest

from ledger.database.connections import connect
from ledger.errors import OutcomeUnknown, Unavailable
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.embedded.server import EmbeddedPostgres
from tests.chaos.judge import judge
from tests.chaos.retry import retry
from tests.chaos.services import service_at
from tests.chaos.workload import BLIND_INDEX, Acknowledgement, Request, Workload
from tests.keks import keyring

PATIENCE_S = 2.0
PORTRAIT_BYTES = 60_000
REQUESTS_MAX = 2_000
FAILURES = 3
MEBIBYTE = 1 << 20


@pytest.fixture
def small_disk(make_data_dir):
    """``small_disk(folder, mebibytes)``: a file system in memory, mounted there; unmounted at the
    end in any case."""
    mounted = []

    def small_disk(folder, mebibytes):
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", folder]
        if os.geteuid() != 0:
            pytest.skip("only root may mount a small disk")
        if (run := subprocess.run(mount, check=False, capture_output=True)).returncode:
            pytest.skip(f"no small disk may be mounted here: {run.stderr.decode().strip()}")
        mounted.append(folder)

    yield small_disk
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Ballast:
    """A file that takes what is left of a disk."""

    def __init__(self, folder):
        self._file = folder / "ballast"

    def fill(self, leave_bytes):
        disk = os.statvfs(self._file.parent)
        free = disk.f_bavail * disk.f_frsize
        with self._file.open("wb") as out:
            os.posix_fallocate(out.fileno(), 0, free - leave_bytes)

    def drop(self):
        self._file.unlink()


@pytest.fixture
def tables(small_disk, make_data_dir):
    """A server with everything on a small disk: the log of its writes has room in its file, the
    tables have not."""
    data_dir = make_data_dir()
    small_disk(data_dir, 256)
    return data_dir, Ballast(data_dir)


@pytest.fixture
def write_ahead_log(small_disk, make_data_dir):
    """A server with nothing but its write-ahead log on a small disk."""
    data_dir, disk = make_data_dir(), make_data_dir()
    with EmbeddedPostgres(data_dir):
        pass
    small_disk(disk, 64)
    log = data_dir / "postgresql" / "pg_wal"
    shutil.move(log, disk / "pg_wal")
    log.symlink_to(disk / "pg_wal")
    owner = log.parent.owner()
    for entry in [disk, disk / "pg_wal", *(disk / "pg_wal").rglob("*")]:
        shutil.chown(entry, owner, owner)
    return data_dir, Ballast(disk)


def issue_until_full(service):
    """The acknowledgements, and each other request with its error."""
    acknowledged, failed = [], []
    for number in range(1, REQUESTS_MAX):
        request = Request(f"w1-{number}", portrait_bytes=PORTRAIT_BYTES)
        try:
            acknowledged.append(Acknowledgement.of(request, service.run(request)))
        except Unavailable as error:
            failed.append((request, error))
            if len(failed) == FAILURES:
                return acknowledged, failed
    raise AssertionError("it is never full")


def test_no_room_for_the_tables(form, tables):
    """Commands fail with nothing written; with free space again the service recovers."""
    data_dir, ballast = tables
    with EmbeddedPostgres(data_dir) as server:
        with connect(server.url) as connection:
            prepare(connection, BLIND_INDEX, keyring())
        with service_at(server.url, form, PATIENCE_S) as service:
            ballast.fill(leave_bytes=MEBIBYTE)

            acknowledged, failed = issue_until_full(service)

            assert acknowledged
            assert [] == [each for _, each in failed if isinstance(each, OutcomeUnknown)]
            assert {} == judge(server.url, acknowledged).problems
            assert len(acknowledged) == service.ledger.head()
            ballast.drop()
            again = [Acknowledgement.of(each, service.run(each)) for each, _ in failed]
            assert [False] * FAILURES == [answer.replayed for answer in again]
        done = [answer.key for answer in acknowledged + again]
        assert {} == judge(server.url, acknowledged + again, done=done).problems


def test_no_room_for_the_write_ahead_log(write_ahead_log):
    """The server ends in panic and can't recover; started with free space it has
    everything that was acknowledged, and the rest can be sent again."""
    data_dir, ballast = write_ahead_log
    with EmbeddedPostgres(data_dir) as server:
        with connect(server.url) as connection:
            prepare(connection, BLIND_INDEX, keyring())
        with service_at(server.url, "thread", PATIENCE_S) as service:
            ballast.fill(leave_bytes=0)
            acknowledged, failed = issue_until_full(service)
            assert acknowledged
    ballast.drop()

    with EmbeddedPostgres(data_dir) as server:
        assert {} == judge(server.url, acknowledged).problems
        acknowledged += retry(server.url, Workload(0), [request.key for request, _ in failed])
        done = [answer.key for answer in acknowledged]
        assert {} == judge(server.url, acknowledged, done=done).problems
