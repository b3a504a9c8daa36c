"""One command after another through the application: ours against the library's stock recorder.

Both sides issue permits with the same aggregate, mapper and server; ours also guards one person,
one permit in the same transaction. Rounds alternate between the sides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from eventsourcing.application import Application as EventSourcedApplication
from eventsourcing.persistence import Mapper
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table

from domain import citizen_id, permit_number
from domain.application import Application
from domain.context import CommandContext
from domain.permit import Permit
from domain.person import Identity, Residence
from ledger import randomness
from ledger.application import PermitLedger
from ledger.blind_index import BlindIndex
from ledger.commands import Command
from ledger.database import connect
from ledger.mapper import EventMapper, OrjsonTranscoder
from permit_ledger.policy import load_policy
from permit_ledger.setup import prepare

from .harness import Rates, Result, fresh_database, run_for, server

CLIENTS = (1, 8, 64)
ROUNDS, ROUND_S = 5, 3.0
QUICK_ROUNDS, QUICK_ROUND_S = 3, 1.0

_policy = load_policy(synthetic_people=True)
_numbers = itertools.count()
_requests = itertools.count()

Operation = Callable[[], object]


class StockLedger(EventSourcedApplication[str]):
    """The same permits on the recorder that comes with the library."""

    name = "stock"

    def construct_transcoder(self) -> OrjsonTranscoder:
        return OrjsonTranscoder()

    def construct_mapper(self) -> Mapper[str]:
        return EventMapper(self.construct_transcoder())

    def issue(self, application: Application, context: CommandContext) -> None:
        number = permit_number.draw(randomness.source.bits)
        holder_id = randomness.source.take(16).hex()
        self.save(Permit.issue(number, holder_id, application, context))


def bench_append(console: Console, *, quick: bool) -> None:
    """A table of events a second and latencies, at 1, 8 and 64 commands at a time."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_ROUND_S) if quick else (ROUNDS, ROUND_S)
    result = Result("append")
    table = Table("side", "clients", "events/s", "p50 ms", "p99 ms", title="append")
    with ExitStack() as stack:
        embedded = stack.enter_context(server())
        ours = stack.enter_context(_ours(stack.enter_context(fresh_database(embedded, "ours"))))
        stock = stack.enter_context(_stock(stack.enter_context(fresh_database(embedded, "stock"))))
        for clients in CLIENTS:
            rates = _alternate({"ours": ours, "stock": stock}, clients, rounds, seconds)
            for side, rate in rates.items():
                table.add_row(
                    side,
                    str(clients),
                    f"{rate.median:,.0f}",
                    f"{rate.p50_ms:.2f}",
                    f"{rate.p99_ms:.2f}",
                )
                result.figures[f"{side}_{clients}_clients"] = {
                    "events_per_s": rate.median,
                    "p50_ms": rate.p50_ms,
                    "p99_ms": rate.p99_ms,
                }
            ratio = rates["ours"].median / rates["stock"].median
            result.ratios[f"append_{clients}_clients_vs_stock"] = ratio
    result.show(console, table)


def _alternate(
    sides: dict[str, Operation], clients: int, rounds: int, seconds: float
) -> dict[str, Rates]:
    """Rates of each side, measured in turns so that a noisy moment meets both."""
    measured: dict[str, tuple[list[float], list[float]]] = {side: ([], []) for side in sides}
    for _ in range(rounds):
        for side, operation in sides.items():
            done, latencies = run_for(seconds, clients, operation)
            measured[side][0].append(done / seconds)
            measured[side][1].extend(latencies)
    return {side: Rates(*lists) for side, lists in measured.items()}


@contextmanager
def _ours(database_url: str) -> Iterator[Operation]:
    blind_index = BlindIndex(bytes(32))
    with connect(database_url) as connection:
        prepare(connection, blind_index)
    with closing(PermitLedger(database_url, blind_index=blind_index)) as ledger:
        yield lambda: ledger.issue(_application(), Command(_context()))


@contextmanager
def _stock(database_url: str) -> Iterator[Operation]:
    where: dict[str, Any] = conninfo_to_dict(database_url)
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": where["dbname"],
        "POSTGRES_HOST": where["host"],
        "POSTGRES_USER": where["user"],
        "POSTGRES_PASSWORD": "",
        "POSTGRES_POOL_SIZE": "8",
        "POSTGRES_MAX_OVERFLOW": "0",
        "ORIGINATOR_ID_TYPE": "text",
    }
    with closing(StockLedger(environment)) as ledger:
        yield lambda: ledger.issue(_application(), _context())


def _context() -> CommandContext:
    return CommandContext(
        actor="officer",
        station="320211-01",
        correlation_id=f"{next(_requests):016x}",
        at=datetime.now(UTC),
        policy=_policy,
    )


def _application() -> Application:
    """A new synthetic person each time."""
    days, sequence = divmod(next(_numbers), 499)
    area, days = divmod(days, 10_000)
    birth_date = date(1970, 1, 1) + timedelta(days=days)
    number = citizen_id.compose(f"99{area:04d}", birth_date, sequence * 2 + 1)
    return Application(
        identity=Identity("欧阳测试", "1", "01", birth_date, number, "安徽省合肥市示例路1号"),
        residence=Residence("320211", "滨湖区示例新村8号101室"),
        residence_registered_on=date(2025, 1, 15),
        ground="employment",
        issued_on=date(2026, 1, 5),
    )
