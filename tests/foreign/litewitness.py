"""Torchwood's litewitness, as its operator runs it: a key in an ssh-agent, a database of SQLite."""

import os
import re
import socket
import sqlite3
import subprocess
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import which

from tests.api.conftest import free_port
from tests.foreign.tools import LITEWITNESS, go_program
from tests.waiting import until
from tests.web.browsers import required

START_TIMEOUT_S = 180
EMPTY_ROOT = b64encode(sha256().digest()).decode()


@dataclass
class Litewitness:
    """``folder`` is short: the agent's socket is in it. Only logs that were added are cosigned."""

    folder: Path
    name: str
    port: int
    key: str
    processes: list[subprocess.Popen[bytes]]

    @classmethod
    def start(cls, folder: Path, name: str) -> "Litewitness":
        for program in ("ssh-agent", "ssh-add", "ssh-keygen"):
            required(which(program), program)
        folder.mkdir()
        agent, secret, words = folder / "agent", folder / "key", folder / "words"
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(secret))
        processes = [subprocess.Popen(["ssh-agent", "-D", "-a", str(agent)], stdout=-3)]
        until(lambda: _listens(agent), wait_s=START_TIMEOUT_S)
        _run("ssh-add", "-q", str(secret), SSH_AUTH_SOCK=str(agent))
        fingerprint = _run("ssh-keygen", "-l", "-f", str(secret)).split()[1]
        port = free_port()
        processes.append(
            subprocess.Popen(
                [
                    go_program(LITEWITNESS),
                    *("-name", name, "-ssh-agent", str(agent), "-key", fingerprint),
                    *("-listen", f"127.0.0.1:{port}", "-db", str(folder / "db")),
                ],
                stderr=words.open("wb"),
            )
        )

        def key() -> str:
            found = re.search(r"vkey=(\S+)", words.read_text())
            return found[1] if found else ""

        until(key, wait_s=START_TIMEOUT_S)
        return cls(folder, name, port, key(), processes)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add_log(self, vkey: str) -> None:
        """As ``witnessctl add-log`` and ``add-key`` do."""
        origin = vkey.partition("+")[0]
        with sqlite3.connect(self.folder / "db") as database:
            database.execute("INSERT INTO log VALUES (?, 0, ?)", [origin, EMPTY_ROOT])
            database.execute("INSERT INTO key VALUES (?, ?)", [origin, vkey])
        database.close()

    def remember(self, origin: str, size: int, root: str) -> None:
        """As if it had cosigned this last."""
        with sqlite3.connect(self.folder / "db") as database:
            database.execute(
                "UPDATE log SET tree_size = ?, tree_hash = ? WHERE origin = ?",
                [size, root, origin],
            )
        database.close()

    def known(self, origin: str) -> tuple[int, str]:
        """Size and root of what it has cosigned last."""
        with sqlite3.connect(self.folder / "db") as database:
            row = database.execute(
                "SELECT tree_size, tree_hash FROM log WHERE origin = ?", [origin]
            ).fetchone()
        database.close()
        size, root = row
        return int(size), str(root)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(START_TIMEOUT_S)


def _listens(path: Path) -> bool:
    """A socket is there a moment before it does."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _run(*command: str, **environment: str) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **environment}
    ).stdout
