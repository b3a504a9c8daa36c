"""Checks over HTTP, records included, on both tracks, against FastAPI doing one plain SELECT.

Service, baseline and load are a process each, with a database server that flushes; rounds
alternate between the sides, and a ratio is the median of the rounds'. The larger city
has ``PERMIT_LEDGER_BENCH_PERMITS`` permits, by default 2,000,000, which take some minutes to load;
``--quick`` has none.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import islice
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.http.roles import Role
from bench import population
from bench.harness import Rates, Result, Round, flush_dirty_pages, fresh_database, server
from bench.load import WARM_UP_S, load
from bench.service import environment_of, free_port, process, request, role
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service, connect
from permit_ledger.bootstrap.http_basis import development_issuer
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import DEFAULT_POLICY, Settings

PERMITS, LARGE_PERMITS = 10_000, 2_000_000
CONNECTIONS = 64
ROUNDS, ROUND_S = 7, 3.0
QUICK_ROUNDS, QUICK_ROUND_S = 3, 1.5
CODES_A_SECOND_MAX = 5_000
REQUESTS_MAX = 20_000
POOL_CONNECTIONS = 8
GOALS = {"physical_vs_select": 1.0, "electronic_vs_select": 0.8}
LATENCY_GOAL = 1.3


@dataclass
class City:
    """A database full of permits, and the two services on it."""

    name: str
    permits: list[tuple[str, str]]
    url: str
    settings: Settings
    token: str
    ports: dict[str, int]
    measured: dict[str, list[Round]] = field(default_factory=dict)

    def requests(self, side: str, seconds: float) -> list[str]:
        if side == "electronic":
            wanted = int(CODES_A_SECOND_MAX * (seconds + WARM_UP_S))
            with connect(self.url) as connection:
                digests = keys.display_codes(self.settings)
                codes = population.mint(connection, digests, self.permits, wanted)
            return [self._check({"track": "electronic", "code": code}) for code in codes]
        numbers = islice(population.in_turns(self.permits), REQUESTS_MAX)
        if side == "select":
            return [request("GET", f"/permits/{number}") for number in numbers]
        return [
            self._check({"track": "physical", "permit_number": number, "card_serial": 1})
            for number in numbers
        ]

    def _check(self, asked: dict[str, object]) -> str:
        body = orjson.dumps({"scenario": "patrol_inspection", **asked}).decode()
        return request("POST", "/v1/verifications", self.token, body)

    def round(self, side: str, seconds: float, connections: int = CONNECTIONS) -> Round:
        found = load(
            self.ports["select" if side == "select" else "ours"],
            self.requests(side, seconds),
            connections=connections,
            seconds=seconds,
            again=side != "electronic",
        )
        wanted = "200" if side == "select" else "200 effective"
        if set(found.answered) != {wanted}:
            raise RuntimeError(f"{side}: {found.answered}")
        return Round(found.rate, found.latencies_ms)


def bench_checks(console: Console, *, quick: bool) -> None:
    """Checks a second and latencies of both tracks and of the baseline; latency at both sizes."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_ROUND_S) if quick else (ROUNDS, ROUND_S)
    large = int(os.environ.get("PERMIT_LEDGER_BENCH_PERMITS", "0" if quick else LARGE_PERMITS))
    result = Result("checks")
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        sizes = {"small": PERMITS} | ({"large": large} if large else {})
        cities = [
            stack.enter_context(city_of(stack, name, permits, folder, embedded, console))
            for name, permits in sizes.items()
        ]
        plan = [(city, side) for _ in range(rounds) for city in cities for side in SIDES]
        for city, side in track(plan, "checks", console=console, transient=True):
            flush_dirty_pages(embedded)
            city.measured.setdefault(side, []).append(city.round(side, seconds))
        for city in cities:
            for side in SIDES:
                flush_dirty_pages(embedded)
                city.measured[f"{side}, alone"] = [city.round(side, seconds, connections=1)]
    _report(result, cities, console)


SIDES = ("select", "physical", "electronic")


def _report(result: Result, cities: list[City], console: Console) -> None:
    table = Table("permits", "side", "checks/s", "p50 ms", "p99 ms", "of select", title="checks")
    for city in cities:
        select = city.measured["select"]
        for side, done in city.measured.items():
            rates = Rates(done)
            ratio = ""
            if side in ("physical", "electronic"):
                found = statistics.median(
                    ours.rate / theirs.rate for ours, theirs in zip(done, select, strict=True)
                )
                ratio = f"{found:.2f}"
                if city is cities[0]:
                    result.ratios[f"{side}_vs_select"] = found
                    reached = "reached" if found >= GOALS[f"{side}_vs_select"] else "SHORT"
                    ratio += f" (goal {GOALS[f'{side}_vs_select']}: {reached})"
            columns = (f"{rates.median:,.0f}", f"{rates.p50_ms:.2f}", f"{rates.p99_ms:.2f}")
            table.add_row(f"{len(city.permits):,}", side, *columns, ratio)
            result.figures[f"{city.name} {side}"] = {
                "permits": len(city.permits),
                "checks_per_s": rates.median,
                "p50_ms": rates.p50_ms,
                "p99_ms": rates.p99_ms,
            }
    if len(cities) > 1:
        small, large = (Rates(city.measured["physical"]).p50_ms for city in cities)
        result.ratios["latency_2m_vs_10k"] = large / small
        result.figures["latency_goal"] = LATENCY_GOAL
    result.show(console, table)


def _without_budgets(folder: Path) -> Path:
    """The bundled policy for an account that checks more permits than any officer meets."""
    bundled = files("permit_ledger.bootstrap") / "policies" / f"{DEFAULT_POLICY}.toml"
    lines = bundled.read_text("utf-8").split("\n\n")
    own = folder / "policy.toml"
    own.write_text("\n\n".join(t for t in lines if not t.startswith("[permits_per_hour]")), "utf-8")
    return own


@contextmanager
def city_of(
    stack: ExitStack, name: str, permits: int, folder: Path, embedded: object, console: Console
) -> Iterator[City]:
    """Settle a city, with the two services on it for as long as the context lasts."""
    settings = Settings(data_dir=folder / f"{name}-keys", development=True)
    url = stack.enter_context(fresh_database(embedded, name))  # type: ignore[arg-type]
    with connect(url) as connection:
        prepare(connection, keys.blind_index(settings), keyring(settings))
        with console.status(f"settling {permits:,} permits"):
            made = population.settle(connection, HolderKeys(keyring(settings)), permits)
    issuer = development_issuer(settings)
    ports = {"ours": free_port(), "select": free_port()}
    city = City(name, made, url, settings, issuer.token(Role.VERIFIER), ports)
    environment = {
        **environment_of(settings.data_dir, url, ports["ours"]),
        "PERMIT_LEDGER_CHECKS_PER_VERIFIER_PER_MINUTE": "10000000",
        "PERMIT_LEDGER_CHECKS_PER_PERMIT_PER_MINUTE": "10000000",
        "PERMIT_LEDGER_PERMITS_PER_VERIFIER_PER_HOUR": "10000000",
        "PERMIT_LEDGER_POLICY": str(_without_budgets(folder)),
        "PERMIT_LEDGER_DATABASE_CONNECTIONS_MAX": str(POOL_CONNECTIONS),
    }
    # The address, which may hold a password, is in the environment: not in the list of processes.
    environment["PERMIT_LEDGER_DATABASE_URL"] = as_service(url)
    theirs = [sys.executable, "-m", "bench.baseline_server"]
    theirs += [str(ports["select"]), str(POOL_CONNECTIONS)]
    with (
        role("api", environment, f"http://127.0.0.1:{ports['ours']}/healthz"),
        process(theirs, environment, f"http://127.0.0.1:{ports['select']}/permits/x"),
    ):
        yield city
