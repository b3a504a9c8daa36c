"""An embedded PostgreSQL server, for machines that have none.

It listens on a socket in its own folder, not on a port, and lets no one in but the user of this
machine that started it. The service has a login of its own, which owns nothing and can become
no one else. :mod:`permit_ledger.embedded.programs` finds its programs and the user that they run
as.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.errors import ConnectionTimeout

from ledger.database.connections import SERVICE_ROLE
from ledger.database.retry import Backoff
from permit_ledger.console.failures import DatabaseNotStarted
from permit_ledger.console.private_files import lock_file, replace_file
from permit_ledger.console.waiting import StallDetector, activity, waiting_for

from .data_folder import MIB, open_data_folder, require_space
from .programs import MAJOR, SUPERUSER, Programs, complaint

DATABASE = "permit_ledger"
SERVICE_LOGIN = "permit_ledger_app"
"""What the service logs in as: a member of the service's role, and nothing else."""
PORT = 5432
STALLED_S = 300.0
"""Give up a start or stop after this long without progress. Recovery after a crash makes progress,
and may take hours."""
SHARED_MEMORY_TIMEOUT_S = 15
"""A killed server's helpers may hold its shared memory for a moment."""
CONNECT_FIRST_S, CONNECT_MAX_S = 5, 80
"""The timeout of the first attempt to connect; it doubles with each further one."""
POLL_S = 0.05
NEW_BYTES_MIN, FREE_BYTES_MIN = 128 * MIB, 16 * MIB
"""Free space needed by a new database, and to start an existing one."""
SOCKET_PATH_BYTES_MAX = 100
"""The kernel's limit for a socket's address is 108."""
SOCKET_LINE = 4
"""Of the pid file, from 0: the folder of the server's socket."""

_PASSING = re.compile(r"shared memory block|is still in use|lock file .* already exists")
"""Transient errors at a start."""
_NOT_YET = re.compile(r"starting up|shutting down|recovery|not yet accepting|too many clients")

_CONFIGURATION = """\
# Written by permit-ledger at every start.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
port = {port}
hba_file = '{hba_file}'
ident_file = '{ident_file}'
# Statements, their parameters and key values may hold personal data: they stay out of the log.
# An error's first line may quote a value (invalid input syntax for type date: "..."), its DETAIL
# holds a key or a row, and that of a crash the statement. So errors of statements go to their
# client only, and "log" is above "error" here: starts, stops, checkpoints, crashes are written.
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
# Messages in English, figures as programs write them, whatever locale the folder was made with.
lc_messages = 'C'
lc_monetary = 'C'
lc_numeric = 'C'
lc_time = 'C'
shared_buffers = 256MB
max_connections = 200
max_wal_size = 2GB
"""

_OWN, _HBA, _IDENT = "permit_ledger.conf", "permit_ledger.hba", "permit_ledger.ident"
_SOCKET_DIR_PREFIX = "permit-ledger-"
_SOCKET_DIR = re.compile(r"^unix_socket_directories = '(.*)'$", re.MULTILINE)
_WHO_MAY_CONNECT = """\
# Written by permit-ledger at every start: the user of this machine that starts the server, who may
# name any user of the database; no one else.
local all all peer map=permit_ledger
"""


class EmbeddedPostgres:
    """The server in one data folder, started or found running.

    ``keep`` leaves it as it was found: running if another process had started it.
    ``stalled_s`` is how long a start may make no progress before it is given up.

    Raises, on entering:
        CannotStart: the folder can't be used; as DatabaseNotStarted, the server does not start.
    """

    def __init__(self, data_dir: Path, *, keep: bool = False, stalled_s: float = STALLED_S) -> None:
        self._data_dir = data_dir
        self._folder = data_dir / "postgresql"
        self._keep = keep
        self._stalled_s = stalled_s
        self._found_running = False
        self._child: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None

    def __enter__(self) -> Self:
        self._folder = open_data_folder(self._data_dir) / "postgresql"
        self._folder.mkdir(exist_ok=True)
        with lock_file(self._folder.parent / "postgresql.lock") as lock:
            with waiting_for("another command that starts PostgreSQL"):
                fcntl.flock(lock, fcntl.LOCK_EX)  # released with the process
            self._find_or_start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not (self._keep and self._found_running) and (server := self._find()):
            self._stop(server)
        self._socket_dir = None

    @property
    def url(self) -> str:
        """The connection string of the ledger's database, for its owner."""
        return self._conninfo(DATABASE)

    def admit_service(self) -> str:
        """Give the service its login, once the migrations have made its role; return the connection
        string for it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            with suppress(psycopg.errors.DuplicateObject):
                connection.execute(f"CREATE ROLE {SERVICE_LOGIN} LOGIN")
            connection.execute(f"GRANT {SERVICE_ROLE} TO {SERVICE_LOGIN}")
        return self._conninfo(DATABASE, SERVICE_LOGIN)

    def _find_or_start(self) -> None:
        self._found_running = self._find() is not None
        if not self._found_running:
            self._initialise()
        stall, connect_s = StallDetector(self._stalled_s), CONNECT_FIRST_S
        deadline, backoff = time.monotonic() + SHARED_MEMORY_TIMEOUT_S, Backoff(Event())
        log = self._folder / "log"
        started_at = 0
        with waiting_for("PostgreSQL: still starting"):
            while True:  # a server that was found may be starting up, or about to end
                server = self._find()
                if self._child is not None and self._child.poll() is not None:
                    said = _tail(log, started_at)
                    if not _PASSING.search(said) or time.monotonic() > deadline:
                        what = f"PostgreSQL in {self._folder} does not start"
                        raise DatabaseNotStarted(complaint(what, said))
                    self._child = None
                    backoff.pause()
                elif server is None and self._child is None:
                    self._found_running = False
                    started_at = log.stat().st_size if log.exists() else 0
                    self._child = self._launch(log)
                try:
                    self._socket_dir = self._where_it_listens()
                    self._create_database(connect_s)
                except ConnectionTimeout:
                    connect_s = min(connect_s * 2, CONNECT_MAX_S)
                except psycopg.OperationalError as error:
                    self._require_not_yet(error)
                else:
                    return
                if stall.is_stalled(lambda: self._signs(log)):
                    self._give_up()
                Event().wait(POLL_S)  # poll interval

    def _signs(self, log: Path) -> tuple[int, float]:
        """A value that changes while a server starts or recovers."""
        running = self._find() or self._child
        return _size(log), activity(running.pid)[0] if running else 0.0

    def _require_not_yet(self, error: psycopg.OperationalError) -> None:
        said = str(error)
        if "FATAL" in said and not _NOT_YET.search(said):
            what = f"PostgreSQL in {self._folder} runs and lets its own user {SUPERUSER} not in"
            raise DatabaseNotStarted(complaint(what, said)) from None

    def _give_up(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            what = "does not come up"
        else:
            what = f"runs (process {_pid_of(self._folder)}) and does not answer: stop that process"
        raise DatabaseNotStarted(
            f"PostgreSQL in {self._folder} {what}; nothing has moved for {self._stalled_s:.0f} s."
            " Its log is in that folder"
        )

    def _stop(self, server: psutil.Process) -> None:
        stall = StallDetector(self._stalled_s)
        with suppress(psutil.NoSuchProcess), waiting_for("PostgreSQL: still stopping"):
            server.send_signal(signal.SIGINT)  # a fast shutdown: clients are disconnected
            while self._find() == server:
                if self._child is not None:
                    self._child.poll()
                if stall.is_stalled(lambda: activity(server.pid)[0]):
                    server.send_signal(signal.SIGQUIT)  # the next start recovers
                    break
                Event().wait(POLL_S)  # poll interval
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(SHARED_MEMORY_TIMEOUT_S)
            self._child = None

    def _create_database(self, connect_s: int) -> None:
        with (
            psycopg.connect(
                self._conninfo("postgres"), autocommit=True, connect_timeout=connect_s
            ) as connection,
            suppress(psycopg.errors.DuplicateDatabase),
        ):
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def _conninfo(self, database: str, user: str = SUPERUSER) -> str:
        if self._socket_dir is None:
            raise RuntimeError(f"the database server in {self._folder} is not running")
        # An address in the environment would take precedence over the folder.
        return make_conninfo(
            host=str(self._socket_dir), hostaddr="", port=PORT, user=user, dbname=database
        )

    def _launch(self, log: Path) -> subprocess.Popen[bytes]:
        require_space(self._folder, FREE_BYTES_MIN)
        programs = Programs()
        programs.let_pass(self._folder)
        programs.give(self._folder)
        if self._folder.lstat().st_uid in {os.geteuid(), programs.owner[0]}:
            self._folder.chmod(0o700)  # a copy may have other rights, which the server refuses
        socket_dir = self._configure(programs)
        # Left by a server that was killed; its pid may be another program's by now, or a zombie's.
        (self._folder / "postmaster.pid").unlink(missing_ok=True)
        (socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "ab") as output:
            programs.give(log)
            return programs.serve(self._folder, output)

    def _initialise(self) -> None:
        """Make a database beside the folder and rename it, so that a killed start never leaves an
        incomplete one."""
        version = self._folder / "PG_VERSION"
        if version.exists():
            if (found := version.read_text(encoding="utf-8").strip()) != str(MAJOR):
                raise DatabaseNotStarted(
                    f"the database in {self._folder} was made by PostgreSQL {found}, and this is"
                    f" {MAJOR}: dump it with that version and restore it into a new folder"
                )
            return
        if any(self._folder.iterdir()):
            raise DatabaseNotStarted(
                f"{self._folder} holds files and no database: move them away, or choose another"
                " folder with --data-dir"
            )
        require_space(self._folder, NEW_BYTES_MIN)
        programs = Programs()
        draft = self._folder.with_name("postgresql.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        programs.let_pass(draft)
        programs.give(draft)
        with waiting_for("PostgreSQL: still making a new database"):
            programs.make_cluster(draft, self._stalled_s)
        draft.rename(self._folder)

    def _configure(self, programs: Programs) -> Path:
        """Write the configuration; return the folder of the socket."""
        self._remove_left_socket_dir(programs)
        socket_dir = _socket_dir_for(self._folder, programs)
        files = {
            _OWN: _CONFIGURATION.format(
                socket_dir=_quoted(socket_dir),
                port=PORT,
                hba_file=_quoted(self._folder / _HBA),
                ident_file=_quoted(self._folder / _IDENT),
            ),
            _HBA: _WHO_MAY_CONNECT,
            _IDENT: f'permit_ledger "{pwd.getpwuid(os.geteuid()).pw_name}" all\n',
        }
        for name, content in files.items():
            replace_file(self._folder / name, content.encode(), mode=0o644)
        main = self._folder / "postgresql.conf"
        include = f"include = '{_OWN}'\n"
        if include not in main.read_text(encoding="utf-8"):
            # Appended to, since a full disk must not empty it.
            descriptor = os.open(main, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(include)
        return socket_dir

    def _remove_left_socket_dir(self, programs: Programs) -> None:
        """Of an earlier start: made by :func:`_socket_dir_for`, and empty but for its socket."""
        left = self._configured_socket_dir()
        if left is None or not left.name.startswith(_SOCKET_DIR_PREFIX):
            return
        with suppress(OSError):
            found = left.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != programs.owner[0]:
                return
            for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
                (left / name).unlink(missing_ok=True)
            left.rmdir()

    def _configured_socket_dir(self) -> Path | None:
        """The socket's folder as the configuration of the last start has it."""
        try:
            found = _SOCKET_DIR.search((self._folder / _OWN).read_text(encoding="utf-8"))
        except OSError:
            return None
        return Path(found[1].replace("''", "'")) if found else None

    def _find(self) -> psutil.Process | None:
        """The process of the pid on file, if it is this folder's server and not some other program
        by now."""
        try:
            process = psutil.Process(_pid_of(self._folder))
            command = process.cmdline()
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return process if str(self._folder) in command else None

    def _where_it_listens(self) -> Path:
        """The socket's folder from the server's own file: another start may have used another
        temporary folder."""
        with suppress(OSError, IndexError):
            lines = (self._folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            if lines[SOCKET_LINE]:
                return Path(lines[SOCKET_LINE])
        return self._configured_socket_dir() or self._folder


def _pid_of(folder: Path) -> int:
    """
    Raises:
        FileNotFoundError, ValueError: there is no pid file.
    """
    return int((folder / "postmaster.pid").read_text(encoding="utf-8").partition("\n")[0])


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def _socket_dir_for(folder: Path, programs: Programs) -> Path:
    """The data folder itself. If its name is too long for a socket, or has characters that a list
    of addresses can't hold: a folder under a temporary one, made for this start, so that no one can
    have put anything in its place, and open to the server alone."""
    if _may_hold_socket(folder):
        return folder
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108  private within
        if Path(base).is_dir() and _may_hold_socket(Path(base) / f"{_SOCKET_DIR_PREFIX}12345678"):
            private = Path(tempfile.mkdtemp(prefix=_SOCKET_DIR_PREFIX, dir=base))
            programs.give(private)
            return private
    raise DatabaseNotStarted(
        f"the name of {folder} is too long for a socket, and no temporary folder has a short one:"
        " set TMPDIR, or choose a shorter --data-dir"
    )


def _may_hold_socket(folder: Path) -> bool:
    name = str(folder)
    try:
        encoded = f"{name}/.s.PGSQL.{PORT}".encode()
    except UnicodeEncodeError:
        return False
    return len(encoded) <= SOCKET_PATH_BYTES_MAX and not set(name) & set(',"\\')


def _quoted(path: Path) -> str:
    """A path within the quotes of a configuration."""
    return str(path).replace("'", "''")
