"""Random kills under load: violations of each guarantee are counted, and each count has to be 0.

Two services write to one database, one with threads and one with coroutines, and compete for the
same permits. One of them or an appending server process is killed with ``kill -9`` in turns; a
follower is killed at intervals too, and goes on from its last durable position. In the end another
process sends all commands without an answer again, and the log is checked.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.harness import Result, server
from ledger.database.connections import connect
from permit_ledger.bootstrap.setup import prepare
from tests.chaos.backends import append_backends, kill_backend
from tests.chaos.follower_process import FollowerProcess
from tests.chaos.judge import Verdict, judge, kept_keys
from tests.chaos.retry import retry
from tests.chaos.services import FORMS
from tests.chaos.workload import BLIND_INDEX, Acknowledgement, Workload
from tests.chaos.writer_process import WriterProcess
from tests.keks import keyring

KILLS = 200
QUICK_S = 40.0
"""Leaves some seconds for the start and the final check."""
SEED = 20260105
PERMITS = 12
CLIENTS = 8
PROGRESS_EVENTS = 20
"""The least number of acknowledgements of every service between two kills."""
PAUSE_MAX_S = 0.2
FOLLOWER_KILLED_EVERY = 7
WAIT_S = 60.0
POLL_S = 0.005

_pause = Event()  # never set


def bench_kills(console: Console, *, quick: bool) -> None:
    """Print a table of kills and violations; exit with 1 if there are any."""
    kills_max, seconds = (sys.maxsize, QUICK_S) if quick else (KILLS, float("inf"))
    started = time.monotonic()
    with ExitStack() as stack:
        _, embedded = stack.enter_context(server())
        with connect(embedded.url) as connection:
            prepare(connection, BLIND_INDEX, keyring())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="permit-ledger-")))
        field = Battlefield(embedded.url, folder / "positions", SEED)
        with field, Progress(console=console, transient=True) as progress:
            total = seconds if quick else kills_max
            task = progress.add_task("kills", total=total)
            while field.kills.total() < kills_max and time.monotonic() - started < seconds:
                field.kill_one()
                now = time.monotonic() - started if quick else field.kills.total()
                progress.update(task, completed=now)
            verdict = field.judged()
    figures = {**field.figures, **_counts(verdict), "seconds": round(time.monotonic() - started)}
    table = Table("what", "count", title="kills")
    for what, count in figures.items():
        table.add_row(what, f"{count:,}")
    Result("kills", figures={"seed": SEED, **figures}).show(console, table)
    problems = {
        **verdict.problems,
        **({"unexpected": field.unexpected} if field.unexpected else {}),
    }
    if problems:
        console.print(problems)
        raise SystemExit(1)


class Battlefield:
    """Two services, a follower, and the answers to their clients. Leaving the context ends them
    all."""

    def __init__(self, database_url: str, file: Path, seed: int) -> None:
        self._url = database_url
        self._chance = random.Random(seed)
        issued = retry(database_url, Workload(seed), [f"w0-{n}" for n in range(1, PERMITS + 1)])
        self._workload = Workload(seed, tuple(each.number for each in issued))
        self._acknowledged = issued
        self._settled: list[Acknowledgement] = []
        self._writers: list[WriterProcess] = []
        self._ended: list[WriterProcess] = []
        self._follower = FollowerProcess(database_url, file)
        self.kills: Counter[str] = Counter()
        self.figures: dict[str, int] = {}

    def __enter__(self) -> Battlefield:
        self._follower.start()
        for form in FORMS:
            self._start_service(form)
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.__exit__(None, None, None)
        self._follower.kill()

    @property
    def unexpected(self) -> list[object]:
        """Responses that no client should get."""
        return [line for writer in self._ended for line in writer.unexpected]

    def kill_one(self) -> None:
        """Kill a service or a backend, in turns, at a random moment after some progress."""
        for condition in [writer.have(PROGRESS_EVENTS) for writer in self._writers]:
            self._until(condition)
        _pause.wait(self._chance.uniform(0, PAUSE_MAX_S))
        if self.kills["services"] <= self.kills["backends"]:
            self._kill_service()
        else:
            self._kill_backend()
        if self.kills.total() % FOLLOWER_KILLED_EVERY == 0:
            self._follower.kill()
            self._follower.start()
            self.figures["follower_kills"] = self.figures.get("follower_kills", 0) + 1

    def judged(self) -> Verdict:
        """End the services, send open commands again, and check the log."""
        for writer in self._writers:
            writer.stop()
        self._ended += self._writers
        self._writers.clear()
        sent = {key for writer in self._ended for key in writer.sent}
        acknowledged = [each for writer in self._ended for each in writer.acknowledged]
        still_open = sent - {each.key for each in acknowledged}
        done = kept_keys(self._url, still_open)
        settled = retry(self._url, self._workload, still_open)
        self._count_outcomes(acknowledged, len(done), len(still_open - done))
        self._acknowledged += acknowledged + settled
        head = judge(self._url).head
        self._until(self._follower.has_kept(head))
        return judge(
            self._url,
            self._acknowledged,
            done=sent | {each.key for each in self._acknowledged},
            followed=self._follower.positions,
        )

    def _count_outcomes(
        self, acknowledged: list[Acknowledgement], done: int, not_done: int
    ) -> None:
        """Count the outcomes of commands whose client was killed, and of those answered with
        ``OutcomeUnknown`` whose retry was answered."""
        unknown = {key for w in self._ended for key, error in w.failed if error == "OutcomeUnknown"}
        replayed = [each.replayed for each in acknowledged if each.key in unknown]
        self.figures.update(
            kills=self.kills.total(),
            service_kills=self.kills["services"],
            backend_kills=self.kills["backends"],
            acknowledged=len(acknowledged),
            unknown_settled_as_done=done + sum(replayed),
            unknown_settled_as_not_done=not_done + len(replayed) - sum(replayed),
        )

    def _start_service(self, form: str) -> None:
        name = f"w{len(self._ended) + len(self._writers) + 1}"
        writer = WriterProcess(self._url, self._workload, name=name, form=form, clients=CLIENTS)
        self._writers.append(writer)

    def _kill_service(self) -> None:
        writer = self._writers.pop(self._chance.randrange(len(self._writers)))
        writer.kill()
        self._ended.append(writer)
        self.kills["services"] += 1
        self._start_service(writer.form)

    def _kill_backend(self) -> None:
        self._until(lambda: bool(append_backends(self._url)))
        kill_backend(self._chance.choice(append_backends(self._url)))
        self.kills["backends"] += 1

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("no progress")
            _pause.wait(POLL_S)


def _counts(verdict: Verdict) -> dict[str, int]:
    """The number of violations of each guarantee; all should be 0."""
    wrong = {name: len(found) for name, found in vars(verdict).items() if isinstance(found, list)}
    return {"head": verdict.head, **wrong}
