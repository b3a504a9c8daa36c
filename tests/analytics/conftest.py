"""The givens of the statistics' tests: a log, a sink in a folder of its own, records by hand."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from consumers.analytics.batch import BatchBuilder
from consumers.analytics.facts import row_of
from consumers.analytics.log_source import LOG, LogSource
from consumers.analytics.sink import EVENTS, Sink
from consumers.contract.cloudevents import EventRecord
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import as_service
from tests.analytics.recount import Recount


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "analytics"


@pytest.fixture
def sink(folder: Path) -> Iterator[Sink]:
    with closing(Sink(folder, "log")) as sink:
        yield sink


@pytest.fixture
def source(database_url: str, ledger: BlockingLedger) -> LogSource:
    return LogSource(as_service(database_url), ledger.event_mapper.parse)


@pytest.fixture
def fill(sink: Sink, source: LogSource, ledger: BlockingLedger) -> Callable[[], Sink]:
    """``fill()``: brings the sink to the log's head."""

    def fill() -> Sink:
        stop = Event()
        head = ledger.head()
        with closing(source.batches(sink.marks(EVENTS), stop)) as batches:  # type: ignore[type-var]
            while (mark := sink.marks(EVENTS).get(LOG)) is None or mark.next_offset <= head:
                sink.write(next(batches))
        return sink

    return fill


@pytest.fixture
def put(sink: Sink) -> Callable[..., None]:
    """``put(("issued", "A", "2026-01-05T02:00:00", {…}), …)``: made-up events, in this order."""
    builder = BatchBuilder({})
    versions: dict[str, int] = {}

    def put(*events: tuple[str, str, str, dict[str, Any]], kind: str = "permit") -> None:
        for name, subject, at, fields in events:
            versions[subject] = versions.get(subject, 0) + 1
            position = builder.mark(LOG).position + 1
            record = EventRecord(
                position=position,
                type=f"{kind}.{name}.v1",
                time=datetime.fromisoformat(at).replace(tzinfo=UTC),
                subject=subject,
                version=versions[subject],
                source="by hand",
                fields={"station": "320211-01", "actor": "officer-1", **fields},
            )
            builder.take(LOG, position, row_of(record))
        sink.write(builder.batch())

    return put


@pytest.fixture(scope="session")
def recount() -> Recount:
    """``recount.load(sink)``: the same questions, asked about every event again."""
    return Recount()
