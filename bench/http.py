"""Commands, reads of a permit and checks over HTTP, against FastAPI doing one INSERT or one SELECT.

One API process beside a database server that flushes, at 1, 8 and 64 connections. The sides take
turns within each round, and a ratio is the median of the rounds'. ``issue`` issues permits to new
people; ``lost`` reports cards as lost, and lifts that in the next pass over all permits. A read of
a permit is by a registrar, so it is recorded before it is answered.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.http.roles import Role
from api.permits.presentation import PermitRenderer
from bench import baseline_server, write_paths
from bench.checks import City, city_of
from bench.harness import Rates, Result, Round, flush_dirty_pages, server
from bench.load import WARM_UP_S, load
from bench.service import request
from ledger.commands.blocking import BlockingLedger
from ledger.commands.runner import Command
from ledger.database.connections import connect
from permit_ledger.bootstrap.http_basis import development_issuer
from permit_ledger.embedded.server import EmbeddedPostgres
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring

CONNECTIONS = (1, 8, 64)
ROUNDS, ROUND_S = 7, 3.0
QUICK_ROUNDS, QUICK_ROUND_S = 3, 0.7
PERMITS = 10_000
"""To be read and checked, and as many more to be reported as lost."""
REQUESTS_A_SECOND_MAX = 6_000
PREPARERS = 32
BASELINES = {
    "insert": None,
    "issue": "insert",
    "lost": "insert",
    "select": None,
    "read": "select",
    "physical": "select",
    "electronic": "select",
}
"""Each side's baseline."""
GOAL_AT, GOAL = 64, 1.0
ALONE_GOAL = 1 / 3
"""Of the rate of a SELECT, for a check on an idle service."""


@dataclass
class Sides:
    """Makes each side's requests."""

    city: City
    registrar: str
    cards: list[str]
    """Permits that commands may change."""
    reported: int = 0
    """Of ``lost``, over all rounds."""
    done: dict[tuple[str, int], list[Round]] = field(default_factory=dict)

    def round(self, side: str, connections: int, seconds: float) -> None:
        """Run and keep one round."""
        self.done.setdefault((side, connections), []).append(
            self.city.round(side, seconds, connections)
            if side in ("select", "physical", "electronic")
            else self._round(side, connections, seconds)
        )

    def _round(self, side: str, connections: int, seconds: float) -> Round:
        most = int(REQUESTS_A_SECOND_MAX * (seconds + WARM_UP_S))
        requests = {
            "insert": self._reports,
            "issue": lambda: (self._issue() for _ in range(most)),
            "lost": lambda: map(self._loss, range(self.reported, self.reported + most)),
            "read": self._reads,
        }[side]()
        found = load(
            self.city.ports["select" if side == "insert" else "ours"],
            list(requests),
            connections=connections,
            seconds=seconds,
            again=side in ("insert", "read"),
        )
        wanted = {"insert": "201", "issue": "201"}.get(side, "200")
        if set(found.answered) != {wanted}:
            raise RuntimeError(f"{side}: {found.answered}")
        if side == "lost":
            self.reported += found.answered[wanted]
        return Round(found.rate, found.latencies_ms)

    def _issue(self) -> str:
        return request("POST", "/v1/permits", self.registrar, issue_body())

    def _loss(self, n: int) -> str:
        turn, card = divmod(n, len(self.cards))
        what = "loss-lifts" if turn % 2 else "loss-reports"
        return request("POST", f"/v1/permits/{self.cards[card]}/{what}", self.registrar, "{}")

    def _reports(self) -> Iterator[str]:
        facts = {"station": "320211-01", "reason": "lost", "reported_on": "2026-02-27"}
        body = orjson.dumps(facts).decode()
        for number, _ in self.city.permits:
            yield request("POST", f"/permits/{number}/reports", body=body)

    def _reads(self) -> Iterator[str]:
        for number, _ in self.city.permits:
            yield request("GET", f"/v1/permits/{number}", self.registrar)


def issue_body() -> str:
    """Return the application of a new person."""
    wanted = write_paths.application()
    person = wanted.identity
    body = {
        "holder": {
            "name": person.name,
            "sex": person.sex,
            "ethnicity": person.ethnicity,
            "birth_date": person.birth_date,
            "citizen_id_number": person.citizen_id_number,
            "hukou_address": person.hukou_address,
        },
        "residence": {
            "division": wanted.residence.division,
            "address": wanted.residence.address,
        },
        "residence_registered_on": wanted.residence_registered_on,
        "ground": wanted.ground,
        "issued_on": wanted.issued_on,
    }
    return orjson.dumps(body).decode()


def bench_http(console: Console, *, quick: bool) -> None:
    """Requests a second and latencies of every side, and their ratios to the baselines."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_ROUND_S) if quick else (ROUNDS, ROUND_S)
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        sides = stack.enter_context(_prepared(stack, folder, embedded, console))
        plan = [(n, side) for _ in range(rounds) for n in CONNECTIONS for side in BASELINES]
        for connections, side in track(plan, "http", console=console, transient=True):
            flush_dirty_pages(embedded)
            sides.round(side, connections, seconds)
    _report(sides, console)


@contextmanager
def _prepared(
    stack: ExitStack, folder: Path, embedded: EmbeddedPostgres, console: Console
) -> Iterator[Sides]:
    with city_of(stack, "http", PERMITS, folder, embedded, console) as city:
        with connect(city.url) as connection:
            connection.execute(baseline_server.CREATE)
        with console.status(f"issuing {PERMITS:,} permits"):
            cards = _issued(city, PERMITS)
        yield Sides(city, development_issuer(city.settings).token(Role.REGISTRAR), cards)


def _issued(city: City, permits: int) -> list[str]:
    """Issue permits, with events that commands can be decided on."""
    settings = city.settings
    ledger = BlockingLedger(
        city.url,
        blind_index=keys.blind_index(settings),
        keyring=keyring(settings),
        renderer=PermitRenderer(),
    )

    def issue(_: int) -> str:
        answer = ledger.permits.issue(write_paths.application(), Command(write_paths.context()))
        number: str = orjson.loads(answer.body)["permit_number"]
        return number

    with closing(ledger), ThreadPoolExecutor(PREPARERS) as executor:
        return list(executor.map(issue, range(permits)))


def _report(sides: Sides, console: Console) -> None:
    result = Result("http")
    table = Table("side", "connections", "requests/s", "p50 ms", "p99 ms", "of baseline")
    for connections, (side, baseline) in itertools.product(CONNECTIONS, BASELINES.items()):
        done = sides.done[side, connections]
        rates = Rates(done)
        figures: dict[str, Any] = {
            "requests_per_s": rates.median,
            "p50_ms": rates.p50_ms,
            "p99_ms": rates.p99_ms,
        }
        result.figures[f"{side} {connections}"] = figures
        said = ""
        if baseline:
            pairs = zip(done, sides.done[baseline, connections], strict=True)
            ratio = statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)
            result.ratios[f"{side}_{connections}_vs_{baseline}"] = ratio
            said = f"{ratio:.2f} of {baseline}{_judged(side, connections, ratio)}"
        columns = (f"{rates.median:,.0f}", f"{rates.p50_ms:.2f}", f"{rates.p99_ms:.2f}")
        table.add_row(side, str(connections), *columns, said, end_section=side == "electronic")
    result.show(console, table)


def _judged(side: str, connections: int, ratio: float) -> str:
    if connections == GOAL_AT:
        goal = GOAL
    elif connections == 1 and side in ("physical", "electronic"):
        goal = ALONE_GOAL
    else:
        return ""
    return f" (goal {goal:.2f}: {'reached' if ratio >= goal else 'SHORT'})"
