"""A writer process under its parent's control: its answers, and its end."""

import subprocess
import sys
from threading import Thread
from typing import Self

from tests.chaos.workload import Acknowledgement, Condition, Workload

END_TIMEOUT_S = 30
CLIENTS = 16


class WriterProcess:
    """One service process. Leaving its context ends it, whatever happened.

    ``sent`` are keys, ``acknowledged`` the answers to its clients, ``failed`` keys with the name of
    an error that a client sends again after, ``unexpected`` all other errors.
    """

    def __init__(
        self,
        database_url: str,
        workload: Workload,
        *,
        name: str,
        form: str = "thread",
        clients: int = CLIENTS,
    ) -> None:
        self.name, self.form = name, form
        self.sent: list[str] = []
        self.acknowledged: list[Acknowledgement] = []
        self.failed: list[tuple[str, str]] = []
        self.unexpected: list[str] = []
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.chaos.writer", "--url", database_url),
                *("--name", name, "--form", form, "--clients", str(clients)),
                *("--seed", str(workload.seed), "--issues-share", str(workload.issues_share)),
                *("--permits", *workload.permits),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = Thread(target=self._read, name=f"reads {name}")
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def open(self) -> set[str]:
        """Keys without a known outcome."""
        return set(self.sent) - {confirmed.key for confirmed in self.acknowledged}

    def have(self, more: int) -> Condition:
        """A condition: this many more acknowledgements from now on."""
        wanted = len(self.acknowledged) + more
        return lambda: len(self.acknowledged) >= wanted

    def kill(self) -> None:
        """``kill -9``; on return all its output has been read."""
        self._process.kill()
        self._finish()

    def stop(self) -> None:
        """Let each client finish its command, and end.

        Raises:
            AssertionError: it ended otherwise.
        """
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} does not stop") from None
        self._finish()
        if self._process.returncode:
            raise AssertionError(f"{self.name} ended with {self._process.returncode}")

    def _finish(self) -> None:
        self._process.wait(END_TIMEOUT_S)
        self._reader.join(END_TIMEOUT_S)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            match line.split():
                case [">", key]:
                    self.sent.append(key)
                case ["=", key, position, version, number, replayed]:
                    self.acknowledged.append(
                        Acknowledgement(key, int(position), int(version), number, replayed == "1")
                    )
                case ["!", key, error]:
                    self.failed.append((key, error))
                case _:
                    self.unexpected.append(line)
