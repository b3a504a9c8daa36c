"""What the statistics cost at a size: a made-up history straight in the file, roll-ups counted from
it, then refreshes after 1,000 new events each.

A large history is a smaller one several times, under other permits' numbers: its roll-ups are then
known, and only its first part has to be made and counted.

Run as a program, it measures one size in a process of its own, so that its peak of memory is that
of this size: ``python -m bench.statistics_growth EVENTS FOLDER`` prints the figures as JSON.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from consumers.analytics.batch import BatchBuilder
from consumers.analytics.facts import COLUMNS
from consumers.analytics.publishing import Publisher
from consumers.analytics.recount import recount
from consumers.analytics.rollups import ROLLUPS
from consumers.analytics.sink import CHECKS, EVENTS, FILE, Sink

SIZES = (100_000, 1_000_000, 10_000_000)
TODAY, YEARS = date(2026, 11, 1), 8
PART_EVENTS_MAX = 200_000
GRACE_DAYS = 30
REFRESHES, NEW_EVENTS = 5, 1_000
EVENTS_A_CHECK = 10
PAGE = 20_000
DIVISIONS = ("320205", "320206", "320211", "320213", "320214", "320281", "320282")
LIVES_SEED, REFRESH_SEED = 7, 8

_STATUS = Path("/proc/self/status")

Row = dict[str, Any]


@dataclass(frozen=True)
class Growth:
    """Figures of one size. Refreshes are medians: of writing, of answers, and of publishing them
    without charts; seconds of processor time, except ``refresh_s``, which is elapsed."""

    events: int
    checks: int
    permits: int
    file_mib: int
    recounted_per_cpu_s: float
    write_cpu_s: float
    answers_cpu_s: float
    publish_cpu_s: float
    refresh_s: float
    peak_mib: int


def measure_growth(events: int, folder: Path) -> Growth:
    """Measure one size in a process of its own; ``folder`` is empty, and holds the file after."""
    program = [sys.executable, "-m", "bench.statistics_growth", str(events), str(folder)]
    done = subprocess.run(program, check=True, capture_output=True)  # noqa: S603  our own program
    return Growth(**orjson.loads(done.stdout))


def own_peak_mib() -> int:
    """Peak memory of this program: ``ru_maxrss`` includes the process before its exec."""
    [line] = [each for each in _STATUS.read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def fill(sink: Sink, events: int) -> tuple[int, int]:
    """Put made-up events and checks into the tables; return how many checks and permits."""
    connection, chance, permits, position = sink.connection, random.Random(LIVES_SEED), 0, 0
    names = [name for name in COLUMNS if name != "type"]
    put = (
        f"INSERT INTO events ({', '.join(names)}, type_version)"
        f" VALUES ({', '.join(':' + name for name in names)}, 1)"
    )
    connection.execute("BEGIN")
    page: list[Row] = []
    while position < events:
        for row in life(permits, chance):
            position += 1
            page.append(_complete({**row, "position": position}))
        permits += 1
        if len(page) >= PAGE or position >= events:
            connection.executemany(put, page)
            page.clear()
    checks = events // EVENTS_A_CHECK
    connection.executemany(
        "INSERT INTO checks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (_check(n, permits, chance) for n in range(1, checks + 1)),
    )
    connection.execute("UPDATE counted SET events = ?", [position])
    for feed, last in ((EVENTS, position), (CHECKS, checks)):
        mark = (feed, 0, last + 1, last, last, None)
        connection.execute("INSERT INTO progress VALUES (?, ?, ?, ?, ?, ?)", mark)
    connection.execute("COMMIT")
    return checks, permits


def repeat(sink: Sink, times: int) -> None:
    """Add the history again, under other numbers, until it is there so many times."""
    connection = sink.connection
    events, checks = sink.vitals()["events"], sink.vitals()["checks"]
    stored = ", ".join(name for name in COLUMNS if name not in {"type", "position", "subject"})
    connection.execute("BEGIN")
    for n in range(1, times):
        connection.execute(
            f"INSERT INTO events (position, subject, {stored}, type_version)"
            f" SELECT position + ?, ? || substr(subject, 5), {stored}, type_version FROM events"
            " WHERE subject < '5301'",
            [n * events, f"53{n:02}"],
        )
        connection.execute(
            "INSERT INTO checks SELECT position + ?, checked_at, ? || substr(permit_number, 5),"
            " track, scenario, outcome, reason, verifier FROM checks WHERE position <= ?",
            [n * checks, f"53{n:02}", checks],
        )
        connection.execute(
            "INSERT INTO findings SELECT pattern, ? || substr(permit_number, 5), times,"
            " within_days, first_at, last_at, n FROM findings WHERE permit_number < '5301'",
            [f"53{n:02}"],
        )
    for rollup in ROLLUPS.keys() - {"findings"}:
        connection.execute(f"UPDATE {rollup} SET n = n * ?", [times])
    connection.execute("UPDATE counted SET events = events * ?", [times])
    connection.execute(
        "UPDATE progress SET position = position * ?, next_offset = position * ? + 1",
        [times, times],
    )
    connection.execute("COMMIT")


def life(number: int, chance: random.Random) -> Iterator[Row]:
    """The events of one permit, four to six on average."""
    subject, version = _number(0, number), 0
    issued_on = TODAY - timedelta(days=chance.randrange(365 * YEARS))
    station = f"320211-{chance.randrange(1, 40):02}"
    officer = {"station": station, "actor": f"{station}-{chance.randrange(1, 8)}"}

    def event(name: str, on: date, **facts: Any) -> Row:
        nonlocal version
        version += 1
        at = f"{on}T{chance.randrange(1, 9):02}:{chance.randrange(60):02}:00"
        what = {"kind": "permit", "name": name, "type": f"permit.{name}.v1", "subject": subject}
        return {**what, "version": version, "recorded_at": at, **facts}

    home = {"division": chance.choice(DIVISIONS)}
    due_on = (issued_on + timedelta(days=15)).isoformat()
    term = {"anchor": issued_on.isoformat(), "years": 1}
    card = {"card_serial": 1, "due_on": due_on}
    yield event("issued", issued_on, **term, **card, **home, **officer, reason="employment")
    if chance.random() < 0.5:
        yield event("electronic-claimed", issued_on + timedelta(days=3))
    collected_on = issued_on + timedelta(days=chance.randrange(8, 20))
    day = {"day": collected_on.isoformat(), "card_serial": 1}
    yield event("card-delivered", collected_on, **day, **officer)
    for year in range(1, YEARS + 1):
        on = issued_on + timedelta(days=365 * year - chance.randrange(1, 30))
        if on > TODAY or chance.random() < 0.3:
            break
        endorsed = {**term, "years": year + 1, "day": on.isoformat(), "reason": "on_time"}
        yield event("endorsed", on, **endorsed, **officer)
        if chance.random() < 0.1:
            late = {"day": (on - timedelta(days=chance.randrange(9))).isoformat(), **home}
            yield event("address-changed", on, **late, **officer)
        if chance.random() < 0.05:
            yield event("card-reported-lost", on, card_serial=1, **officer)


def new_events(sink: Sink, permits: int, times: int, chance: random.Random) -> BatchBuilder:
    """A move of one permit each, some of them late."""
    builder = BatchBuilder(sink.marks(EVENTS))
    numbers = {
        _number(chance.randrange(times), chance.randrange(permits)) for _ in range(NEW_EVENTS)
    }
    for subject in sorted(numbers):
        position = builder.mark(0).position + 1
        version = len(sink.history(subject)) + 1
        assert version > 1, "it is of no permit"  # noqa: S101  it would be too cheap
        day = (TODAY - timedelta(days=chance.choice([0, 0, 0, 40]))).isoformat()
        at = f"{TODAY}T02:00:00"
        facts = {"station": "320211-01", "actor": "officer-1", "division": chance.choice(DIVISIONS)}
        row = {"kind": "permit", "name": "address-changed", "type": "permit.address-changed.v1"}
        where = {"position": position, "subject": subject, "version": version, "recorded_at": at}
        builder.take(0, position, {**row, **where, **facts, "day": day})
    return builder


def _number(part: int, number: int) -> str:
    return f"53{part:02}{number:08d}"


def _complete(row: Row) -> Row:
    return {name: row.get(name) for name in COLUMNS}


def _check(n: int, permits: int, chance: random.Random) -> tuple[object, ...]:
    at = datetime(2026, 11, 1) - timedelta(minutes=chance.randrange(60 * 24 * 400))  # noqa: DTZ001  as stored
    number = _number(0, chance.randrange(permits))
    verifier = f"{chance.randrange(300):064x}"
    return n, at.isoformat(), number, "physical", "patrol_inspection", "effective", None, verifier


def _measure(events: int, folder: Path) -> Growth:
    chance, times = random.Random(REFRESH_SEED), -(-events // PART_EVENTS_MAX)
    with closing(Sink(folder, "log")) as sink:
        checks, permits = fill(sink, events // times)
        counted = sink.vitals()["events"]
        started_s = time.process_time()
        recount(sink, lambda *_: None)
        recount_s = time.process_time() - started_s
        repeat(sink, times)
    publisher, rounds = Publisher(folder), []
    with closing(Sink(folder, "log")) as sink:
        reached = sink.vitals()["events"]
        for _ in range(REFRESHES):
            batch = new_events(sink, permits, times, chance).batch()
            rounds.append(_refresh(sink, publisher, batch))
        size = sum(path.stat().st_size for path in folder.glob(f"{FILE}*"))
    write, answers, publish, refresh = (
        statistics.median(each) for each in zip(*rounds, strict=True)
    )
    return Growth(
        *(reached, checks * times, permits * times, size >> 20, counted / recount_s),
        *(write, answers, publish, refresh, own_peak_mib()),
    )


def _refresh(sink: Sink, publisher: Publisher, batch: Any) -> tuple[float, float, float, float]:
    started, times = time.perf_counter(), [time.process_time()]
    sink.write(batch)
    times.append(time.process_time())
    answers = sink.answers(TODAY, GRACE_DAYS)
    times.append(time.process_time())
    publisher.publish(answers, sink.vitals(), sink.uncounted(), TODAY)
    times.append(time.process_time())
    write, answer, publish = (later - earlier for earlier, later in pairwise(times))
    return write, answer, publish, time.perf_counter() - started


if __name__ == "__main__":
    print(orjson.dumps(asdict(_measure(int(sys.argv[1]), Path(sys.argv[2])))).decode())
