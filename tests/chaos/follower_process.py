"""A follower process under its parent's control: killed, started again, and its saved lines."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.chaos.follower import kept_positions
from tests.chaos.workload import Condition

END_TIMEOUT_S = 30


class FollowerProcess:
    """Runs within its context; may be killed and started again in it."""

    def __init__(self, database_url: str, file: Path) -> None:
        self._url, self._file = database_url, file
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def positions(self) -> list[int]:
        """Every position that it received, in order, over all its starts."""
        return kept_positions(self._file)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def has_kept(self, position: int) -> Condition:
        """A condition: it has reached this position. An ended process never does."""

        def has_kept() -> bool:
            if not self.is_running:
                raise AssertionError("the follower has ended unexpectedly")
            return self.positions[-1:] >= [position] or position == 0

        return has_kept

    def start(self) -> None:
        """Start from its last saved position."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.follower", self._url, str(self._file)],
            stdin=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        """``kill -9``."""
        assert self._process
        assert self._process.stdin
        self._process.kill()
        self._process.wait(END_TIMEOUT_S)
        self._process.stdin.close()
