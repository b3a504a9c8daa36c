"""Random faults of the projectors under random load, with the guarantees checked throughout.

Two projector processes keep the views of a server under faults. Writers change permits, readers
read both tracks in one statement, a waiter checks that writes become visible. Faults follow one
another at random; after each one the views have to progress before the next.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from threading import Event, Thread
from typing import Any, cast

import psycopg

from ledger.commands.blocking import BlockingLedger
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service, connect
from projections.projector.pages import EventOpener
from projections.projector.quarantine import list_quarantined
from projections.projector.runner import LEASE
from projections.quarantine.retry import NotQuarantined, Retrier
from projections.views.registry import all_views
from tests.chaos.poison import Poisoner
from tests.chaos.projector_process import ProjectorProcess
from tests.chaos.soak_judge import what_is_wrong
from tests.chaos.soak_load import Waited, live, wait_and_look
from tests.chaos.soak_readers import Seen, read_both, read_faces
from tests.chaos.workload import BLIND_INDEX
from tests.keks import keyring
from tests.postgres import restart
from tests.waiting import until

LIVES = 2
BOTH_READERS = 2
FROZEN_S = 3.0
STOPPING_S = 0.1
"""By then the server has committed all statements of the frozen projector."""
PAUSE_MAX_S = 1.5
MIDDLE_WAIT_S = 1.0
WAIT_S = 60.0
END_WAIT_S = 120.0
POLL_S = 0.002

_LEADER = """
    SELECT usename FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND objid = %s AND granted AND datname = current_database()
"""
_WRITERS = """
    SELECT count(DISTINCT usename) FROM pg_stat_activity
    WHERE application_name = 'permit-ledger project' AND datname = current_database()
"""
_CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %s
"""
_PROGRESS = """
    SELECT position, (SELECT count(*) FROM pg_stat_activity
        WHERE usename = %s AND application_name = 'permit-ledger project')
    FROM views.position
"""
_IN_A_PAGE = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'permit-ledger project' AND xact_start IS NOT NULL
    AND datname = current_database()
"""

_HOLDS_A_PAGE = """
    SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND xact_start IS NOT NULL
    AND application_name = 'permit-ledger project' AND datname = current_database()
"""

_pause = Event()  # never set


class Soak:
    """Runs within its context; leaving it ends everything it started."""

    def __init__(self, database_url: str, seed: int) -> None:
        self._url = database_url
        self._chance = random.Random(seed)  # noqa: S311  chance, not secrecy
        self._seed = seed
        self._stop = Event()
        self._stack = ExitStack()
        self._threads: list[Thread] = []
        self._poisoned: set[str] = set()
        self._released = 0
        self.projectors: list[ProjectorProcess] = []
        self.faults: Counter[str] = Counter()
        self.takeovers_s: list[float] = []
        self.frozen_s: list[float] = []
        self.frozen_in_a_page = 0
        self.restarts_in_a_page = 0
        self.seen, self.waited = Seen(), Waited()
        self.wrong: dict[str, list[str]] = {}
        self._faults: dict[str, Callable[[], None]] = {
            "kill leader": self._kill_leader,
            "cut listener": lambda: self._cut("permit-ledger follow"),
            "cut writer": lambda: self._cut("permit-ledger project"),
            "cut waiter": lambda: self._cut("permit-ledger positions"),
            "restart": self._restart,
            "poison": self._poison,
            "cure": self._cure,
            "freeze leader": self._freeze_leader,
        }
        self._next: list[str] = []

    def __enter__(self) -> "Soak":
        with connect(self._url) as owner:
            Poisoner.prepare(owner)
        self._ledger: BlockingLedger = self._stack.enter_context(
            closing(
                BlockingLedger(as_service(self._url), blind_index=BLIND_INDEX, keyring=keyring())
            )
        )
        self._stack.callback(self._end_threads)
        for n in (1, 2):
            projector = ProjectorProcess(self._url, f"projector_{n}")
            self.projectors.append(self._stack.enter_context(projector))
        for n in range(LIVES):
            self._begin("life", live, self._ledger, self._seed + n, self._stop)
        for _ in range(BOTH_READERS):
            self._begin("reader", read_both, self._url, self.seen, self._stop)
        self._begin("faces", read_faces, self._url, self.seen, self._stop)
        self._begin("waiter", wait_and_look, self._url, self._ledger, self.waited, self._stop)
        self._begin("memory", self._watch_memory)
        self._until(self._both_are_there, "projectors start")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def hurt(self) -> None:
        """One fault, after a pause; every kind occurs before one is repeated."""
        if not self._next:
            self._next = self._chance.sample([*self._faults], len(self._faults))
        name = self._next.pop()
        _pause.wait(self._chance.uniform(0, PAUSE_MAX_S))
        self.faults[name] += 1
        try:
            self._faults[name]()
            self._until_it_moves(name)
        except TimeoutError as error:
            self.wrong.setdefault("stalled", []).append(str(error))

    def judged(self) -> dict[str, list[str]]:
        """End the load, let the projectors catch up, and check everything; return the
        violations."""
        self._end_threads()
        with connect(self._url) as owner:
            Poisoner.disarm(owner)
        self._until(lambda: self._lag() == 0, "catch up", END_WAIT_S)
        self._cure()
        for name, found in {
            "disagreements": self.seen.disagreements,
            "lost": self.waited.lost,
            "parked without a reason": sorted(self._quarantined() - self._poisoned),
            "still parked": sorted(self._quarantined()),
            **what_is_wrong(self._url, self._ledger),
        }.items():
            if found:
                self.wrong.setdefault(name, []).extend(found)
        return self.wrong

    @property
    def figures(self) -> dict[str, Any]:
        """Counts of everything that happened."""
        lives = [life for projector in self.projectors for life in projector.rss_bytes if life]
        longest = max(lives, key=len, default=[0])
        half = len(longest) // 2
        growth = max(longest[half:]) - max(longest[:half] or longest)
        return {
            "events": self._ask("SELECT position FROM ledger.head")[0],
            "permits": self._ask("SELECT count(*) FROM views.physical_permits")[0],
            "faults": dict(self.faults),
            "poisoned_permits": len(self._poisoned),
            "released_permits": self._released,
            "reads": self.seen.reads,
            "rows_compared": self.seen.rows,
            "faces_compared": self.seen.faces,
            "disagreements": len(self.seen.disagreements),
            "waits": len(self.waited.visible_ms),
            "lost": len(self.waited.lost),
            "takeover_s": sorted(self.takeovers_s),
            "frozen_takeover_s": sorted(self.frozen_s),
            "frozen_in_a_page": self.frozen_in_a_page,
            "restarts_in_a_page": self.restarts_in_a_page,
            "rss_mib_max": max(map(max, lives), default=0) / 2**20,
            "rss_growth_mib": growth / 2**20,
        }

    # -- faults --------------------------------------------------------------------------------

    def _kill_leader(self) -> None:
        leader = self._leader()
        killed_at = time.monotonic()
        leader.kill()
        try:
            self.takeovers_s.append(self._until_taken_over(leader.user, killed_at))
        finally:
            leader.start()
        self._until(self._both_are_there, "start again")

    def _freeze_leader(self) -> None:
        leader = self._leader()
        leader.freeze()
        try:
            frozen_at, moved_s = time.monotonic(), None
            _pause.wait(STOPPING_S)
            before = self._position()
            while time.monotonic() - frozen_at < FROZEN_S:
                if moved_s is None and self._position() > before:
                    moved_s = time.monotonic() - frozen_at
                _pause.wait(POLL_S)
            if moved_s is not None:
                self.frozen_s.append(moved_s)
            elif self._ask(_HOLDS_A_PAGE, leader.user) != (0,):
                self.frozen_in_a_page += 1  # the server ends it, later than this
            else:
                self.wrong.setdefault("no projector took over", []).append(leader.user)
        finally:
            leader.go_on()

    def _cut(self, application_name: str) -> None:
        self._ask(_CUT, application_name)

    def _restart(self) -> None:
        """While a page is being written, if one is found."""
        mode = self._chance.choice(["fast", "immediate"])
        with connect(self._url) as admin:
            deadline = time.monotonic() + MIDDLE_WAIT_S
            while not (seen := admin.execute(_IN_A_PAGE).fetchone() != (0,)):
                if time.monotonic() > deadline:
                    break
        self.restarts_in_a_page += seen
        restart(self._url, mode)

    def _poison(self) -> None:
        """Corrupt the next event of any permit, and wait until the permit is quarantined."""
        with connect(self._url) as owner:
            Poisoner.poison(owner)
        self._until(lambda: bool(self._poisoned_now() - self._poisoned), "poison")
        new = self._poisoned_now() - self._poisoned
        self._poisoned |= new
        self._until(lambda: new <= self._quarantined(), "park")

    def _cure(self) -> None:
        with connect(self._url) as owner:
            cured = Poisoner.cure(owner)
            self._poisoned.update(cured)
            retrier = Retrier(all_views(BLIND_INDEX), EventOpener(HolderKeys(keyring())))
            for number in cured:
                with suppress(NotQuarantined):
                    self._released += retrier.retry(owner, number).released

    # -- reads ---------------------------------------------------------------------------------

    def _leader(self) -> ProjectorProcess:
        """With another one that could take over."""
        self._until(self._both_are_there, "both are there")
        found: list[str] = []

        def is_found() -> bool:
            found[:] = [str(name) for name in self._ask(_LEADER, LEASE.lock) or ()]
            return bool(found)

        self._until(is_found, "leader")
        return next(each for each in self.projectors if each.user == found[0])

    def _until_taken_over(self, user: str, killed_at: float) -> float:
        """Seconds until another projector moves the views."""
        before = None
        with connect(self._url) as admin:
            while time.monotonic() - killed_at < WAIT_S:
                row = admin.execute(_PROGRESS, [user]).fetchone()
                position, backends = cast("tuple[int, int]", row)
                if before is None and backends == 0:
                    before = position
                if before is not None and position > before:
                    return time.monotonic() - killed_at
                _pause.wait(POLL_S)
        raise TimeoutError("no projector takes over")

    def _until_it_moves(self, after: str) -> None:
        before: list[int] = []

        def moves() -> bool:
            before.append(self._position())
            return before[-1] > before[0]

        self._until(moves, f"move after {after}")

    def _until(self, condition: Callable[[], bool], what: str, wait_s: float = WAIT_S) -> None:
        """Waits for a server that is down for a moment."""

        def holds() -> bool:
            with suppress(psycopg.OperationalError):
                return condition()
            return False

        try:
            until(holds, wait_s=wait_s)
        except AssertionError:
            raise TimeoutError(f"waited in vain: {what}") from None

    def _both_are_there(self) -> bool:
        return self._ask(_WRITERS) == (2,)

    def _position(self) -> int:
        return int(self._ask("SELECT position FROM views.position")[0])

    def _lag(self) -> int:
        lag = "SELECT head.position - position.position FROM ledger.head, views.position"
        return int(self._ask(lag)[0])

    def _quarantined(self) -> set[str]:
        with connect(self._url) as connection:
            return {one.permit_number for one in list_quarantined(connection)}

    def _poisoned_now(self) -> set[str]:
        return set(self._ask("SELECT array_agg(stream) FROM soak.good")[0] or ())

    def _ask(self, query: str, *parameters: object) -> Any:
        with connect(self._url, application_name="soak") as admin:
            return admin.execute(query.encode(), parameters or None).fetchone()

    # -- threads -------------------------------------------------------------------------------

    def _begin(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        """Every exception is a violation."""

        def run() -> None:
            try:
                work(*arguments)
            except Exception as error:  # noqa: BLE001  reported as a violation
                violation = f"{name}: {type(error).__name__}: {error}"
                self.wrong.setdefault("unexpected", []).append(violation)

        self._threads.append(Thread(target=run, name=name))
        self._threads[-1].start()

    def _end_threads(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(WAIT_S)
        self._threads.clear()

    def _watch_memory(self) -> None:
        while not self._stop.wait(0.2):
            for projector in self.projectors:
                projector.look()
