"""A projector process under its parent's control: killed, frozen, started again, and its memory."""

import signal
import subprocess
import sys
from contextlib import suppress
from typing import Self

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger.database.connections import SERVICE_ROLE, as_service, connect

END_TIMEOUT_S = 30


class ProjectorProcess:
    """Connects as a database user of its own, by which its backends are known. Runs within its
    context; may be killed and started again in it."""

    def __init__(self, database_url: str, user: str) -> None:
        self.user = user
        with connect(database_url) as admin, suppress(psycopg.errors.DuplicateObject):
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(
                    sql.Identifier(user), sql.Identifier(SERVICE_ROLE)
                )
            )
        self._url = as_service(make_conninfo(database_url, user=user))
        self._process: subprocess.Popen[bytes] | None = None
        self.rss_bytes: list[list[int]] = []
        """Of each of its starts, one value a sample."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._running.poll() is None:
            self.kill()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.projector", self._url], stdin=subprocess.PIPE
        )
        self.rss_bytes.append([])

    def kill(self) -> None:
        """``kill -9``, frozen or not."""
        self._running.kill()
        self._finish()

    def freeze(self) -> None:
        self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._running.send_signal(signal.SIGCONT)

    def look(self) -> None:
        """Sample its memory."""
        with suppress(psutil.Error):
            self.rss_bytes[-1].append(psutil.Process(self._running.pid).memory_info().rss)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process
        return self._process

    def _finish(self) -> None:
        self._running.wait(END_TIMEOUT_S)
        assert self._running.stdin
        self._running.stdin.close()
