"""The service as its users start it, and the people who call it."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import make_conninfo

from domain.personal import ERASED
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.crypto.envelope import join, place_of
from ledger.crypto.holder_keys import HolderKey, HolderKeys, wrapped_keys_in
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import Settings

READY_TIMEOUT_S = 300
ANSWER_TIMEOUT_S = 20
LOG_IS_CONTIGUOUS = """
    SELECT coalesce(count(*) = max(position) AND min(position) = 1, true)
           AND coalesce(max(position), 0) = (SELECT position FROM ledger.head)
    FROM ledger.events
"""
EVENT = "SELECT stream, version, topic, state FROM ledger.events WHERE position = %s"
HOLDER_KEY = "SELECT holder_id, kek_id, wrapped FROM ledger.holder_keys WHERE holder_id = %s"
Json = dict[str, Any]


def audit_path(permit: Json, what: str) -> str:
    """Return the path of an audit read."""
    return f"/v1/audit/permits/{permit['permit_number']}/{what}"


@dataclass
class Caller:
    """A caller with a token. Every method returns the response, whatever its status."""

    http: httpx.Client
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def with_token(cls, http: httpx.Client, role: str, **claims: Any) -> "Caller":
        """Make a caller in a role, with the development issuer's token."""
        answer = http.post("/v1/dev/tokens", json={"role": role, **claims})
        assert answer.status_code == 200, answer.text
        return cls(http, {"Authorization": f"Bearer {answer.json()['access_token']}"})

    @property
    def token(self) -> str:
        return self.headers["Authorization"].partition(" ")[2]

    def url(self, path: str) -> str:
        """Of a path, as a proof names it."""
        return f"{self.http.base_url}".rstrip("/") + path

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.http.get(path, params=parameters, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """``headers`` by their names with underscores: ``idempotency_key="k"``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {} if body is None else body
        return self.http.post(path, json=body, headers={**self.headers, **named})

    def send(self, path: str, content: Any, **headers: str) -> httpx.Response:
        """Send any bytes as a body, on a connection of their own."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        usual = {"content-type": "application/json", "connection": "close"}
        return self.http.post(path, content=content, headers={**self.headers, **usual, **named})


IN_THE_BACKGROUND = {
    "PERMIT_LEDGER_ANALYTICS_SHARE": "0.01",
    "PERMIT_LEDGER_AUDIT_PERMITS_PER_S": "0",
}
"""What a service does by itself takes little of the time of the tests, and quarantines no permit
whose rows a test has changed."""


@dataclass
class Service:
    """``permit-ledger up --empty`` in a process group of its own."""

    data_dir: Path
    port: int
    process: subprocess.Popen[str] | None = None
    host: str = "127.0.0.1"
    """As a URL has it."""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def launch(
        self,
        *options: str,
        stderr: Any = None,
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Begin to start it, in a working folder."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "permit_ledger", "up", "--empty"),
                *("--port", str(self.port), "--data-dir", str(self.data_dir)),
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=IN_THE_BACKGROUND | dict(os.environ if environment is None else environment),
            cwd=folder,
            text=True,
            start_new_session=True,
        )

    def start(self, *options: str, has_statistics: bool = False) -> "Service":
        """Returns once it says that it is ready. If it ``has_statistics``, these are up to date
        soon."""
        more = {"PERMIT_LEDGER_ANALYTICS_SHARE": "0.3"} if has_statistics else {}
        self.launch(*options, environment={**os.environ, **more})
        return self.wait_until_ready()

    def wait_until_ready(self) -> "Service":
        assert self.process
        assert self.process.stdout
        for line in self.process.stdout:
            if line.strip() == f"ready {self.url}":
                return self
        raise AssertionError(f"the service ended with {self.process.wait()}")

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        """SIGTERM, as an operator would; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(READY_TIMEOUT_S)

    def kill(self) -> None:
        """``kill -9`` of every process of the service, database server included."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # it went with one that was killed before it
                process.kill()
        assert self.process is not None
        self.process.wait()

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process and self.process.poll() is None:
            self.stop()
        for process in self.database_server():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def processes(self) -> list[psutil.Process]:
        """``up`` first, then its roles and the database server with all its workers."""
        assert self.process is not None
        up = psutil.Process(self.process.pid)
        return [up, *up.children(recursive=True), *self.database_server()]

    def role(self, name: str) -> psutil.Process:
        """The process of ``api`` or ``project``."""
        return next(process for process in self.processes() if process.cmdline()[-1:] == [name])

    def database_server(self) -> list[psutil.Process]:
        try:
            server = psutil.Process(int(self._pid_file()[0]))
            return [server, *server.children()] if server.name() == "postgres" else []
        except (FileNotFoundError, psutil.NoSuchProcess):
            return []

    def _pid_file(self) -> list[str]:
        return (self.data_dir / "postgresql" / "postmaster.pid").read_text().splitlines()

    @property
    def database_url(self) -> str:
        """The embedded server, by the socket folder in its pid file's fifth line."""
        return make_conninfo(host=self._pid_file()[4], user="postgres", dbname="permit_ledger")

    def rows(self, query: Any, *parameters: Any) -> list[Any]:
        """What the database holds."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def execute(self, statements: Any) -> None:
        """As the database's owner."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statements)

    def event(self, position: int) -> Json:
        """What the log holds at a position, opened with its holder's key."""
        [row] = self.rows(EVENT, position)
        sealed = EventMapper(OrjsonTranscoder()).parse(StoredEvent(*row))
        if sealed.envelope:
            key = self.holder_key(sealed.envelope.holder)
            join(sealed.state, sealed.envelope.open(key, place_of(sealed.stored)))
        return sealed.state

    def holder_key(self, holder_id: str) -> HolderKey:
        """Unwrap the key of a holder who is not erased."""
        rows = self.rows(HOLDER_KEY, holder_id)
        keys = HolderKeys(keyring(Settings(data_dir=self.data_dir))).unwrap(wrapped_keys_in(rows))
        key = keys[holder_id]
        assert key is not ERASED
        return key

    def log_is_contiguous(self) -> bool:
        """Whether the positions are 1, 2, 3 … up to the head."""
        [(is_contiguous,)] = self.rows(LOG_IS_CONTIGUOUS)
        return bool(is_contiguous)

    def is_in_step(self) -> bool:
        """Whether the views have all of the log."""
        return bool(self.status()["lag_events"] == 0)

    def say(self, sent: bytes) -> bytes:
        """What is answered to these bytes until the connection is closed."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_TIMEOUT_S) as stream:
            try:
                stream.sendall(sent)
                while part := stream.recv(65536):
                    received += part
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server has closed the connection
        return received

    def caller(self, role: str, **claims: Any) -> Caller:
        """Make a caller in a role, with its own connections."""
        return Caller.with_token(httpx.Client(base_url=self.url, timeout=30), role, **claims)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A ``permit-ledger`` command on this service's data folder."""
        return subprocess.run(
            [sys.executable, "-m", "permit_ledger", *arguments, "--data-dir", str(self.data_dir)],
            check=False,
            capture_output=True,
            text=True,
            timeout=READY_TIMEOUT_S,
        )

    def status(self) -> Json:
        """What ``permit-ledger status --json`` says."""
        run = self.command("status", "--json")
        assert run.returncode == 0, run.stderr
        status: Json = json.loads(run.stdout)
        return status
