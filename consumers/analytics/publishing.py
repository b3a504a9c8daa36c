"""The published statistics as files: the only output of the role.

::

    answers.json                the whole answers, for those who may read the data folder
    published/live.json         the answers for staff
    published/supervision.json  what supervisors ask about those who work with the ledger
    published/stats.json        the public answers, and the names of their files
    published/<question>.csv    the same, one file for each table
    published/<question>.parquet
    published/<chart>.<language>.<width>.<digest>.svg

The public answers change in steps, so that no one can see what one event has changed: after
``STEP_EVENTS`` events; or ``STEP_S`` later or on another day, if there were ``STEP_EVENTS_MIN``
events at least; and on another day if there was nothing new at all. A start is no step either. The
other answers are always the newest.

Each file is replaced atomically. ``stats.json`` is written last and names the charts by their
content, so a reader finds every file that it names; charts that it no longer names are kept for a
while.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from .charts import Charts
from .exports import csv_bytes, parquet_bytes
from .questions import Answer, Table
from .withholding import COUNT_MIN, PublicTable, for_everybody, for_staff

PUBLISHED = "published"
STATS_FILE, LIVE_FILE, SUPERVISION_FILE = "stats.json", "live.json", "supervision.json"
ANSWERS_FILE = "answers.json"
STEP_EVENTS, STEP_EVENTS_MIN, STEP_S = 100, 20, 3600.0
_STEP_FIELDS = frozenset({"as_of_position", "as_of_checks", "today"})
RETIRED_KEPT_S = 60.0
"""How long a replaced chart is kept for readers of the previous ``stats.json``."""


class Publisher:
    """Owns the published folder; used by one thread.

    Figures are published first, and charts after them, since drawing is slow.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._published = folder, folder / PUBLISHED
        self._charts = Charts()
        self._exported: dict[str, Table] = {}
        self._retired_s: dict[str, float] = {}
        self._tables: dict[str, Table] = {}
        self._stats = self._last_published()
        self._published_for: date | None = None
        self._published_s = monotonic()

    def publish(
        self,
        answers: Sequence[Answer],
        vitals: Mapping[str, Any],
        parked: Sequence[Mapping[str, Any]],
        today: date,
    ) -> None:
        """Publish the figures as of one instant, with the charts drawn so far."""
        self._published.mkdir(mode=0o755, exist_ok=True)
        head = {
            "as_of_position": vitals["position"],
            "as_of_checks": vitals["checks"],
            "recorded_at": _instant(vitals["recorded_at"]),
            "today": today.isoformat(),
            "events": vitals["events"],
            "parked": vitals["parked"],
        }
        self._replace(self._folder / ANSWERS_FILE, _document(head, answers, parked), mode=0o600)
        live = orjson.dumps(_tables(head, for_staff(answers)))
        self._replace(self._published / LIVE_FILE, live, mode=0o640)
        supervised = [answer for answer in answers if answer.question.is_supervision]
        whole = {answer.question.name: PublicTable(answer.whole, 0) for answer in supervised}
        document = orjson.dumps({**_tables(head, whole), "unusual": unusual(supervised, today)})
        self._replace(self._published / SUPERVISION_FILE, document, mode=0o640)
        if self._is_step(head, answers):
            public = for_everybody(answers)
            self._tables = {name: table for name, (table, _) in public.items()}
            for name, table in self._tables.items():
                self._export(name, table)
            self._stats, self._published_s = _tables(head, public), monotonic()
            self._published_for = today
            self._write_stats()

    def _is_step(self, head: Mapping[str, Any], answers: Sequence[Answer]) -> bool:
        last = self._stats
        if not last or _columns_of(last) != _columns_for_all(answers):
            return True
        events = head["as_of_position"] - last["as_of_position"]
        checks = head["as_of_checks"] - last["as_of_checks"]
        is_another_day = last["today"] != head["today"]
        if is_another_day and events == checks == 0:
            return True
        is_late = is_another_day or monotonic() - self._published_s >= STEP_S
        return not 0 <= events < (STEP_EVENTS_MIN if is_late else STEP_EVENTS)

    def _last_published(self) -> dict[str, Any]:
        """What an earlier run has published; empty if that is nothing, or can't be read."""
        try:
            last: dict[str, Any] = orjson.loads((self._published / STATS_FILE).read_bytes())
            _columns_of(last)
            return last if last.keys() >= _STEP_FIELDS else {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def draw_next(self) -> bool:
        """Draw one chart of the figures published last, as of their day; return ``False`` if all
        are drawn, or if they are an earlier run's, which has drawn them."""
        if self._published_for is None:
            return False
        if not self._charts.draw_next(self._tables, self._published_for):
            return False
        for file, content in self._charts.all_drawn.files.items():
            if not (path := self._published / file).exists():
                self._replace(path, content)
        self._write_stats()
        return True

    def _write_stats(self) -> None:
        drawn = self._charts.all_drawn
        stats = {**self._stats, "charts": drawn.by_name}
        self._replace(self._published / STATS_FILE, orjson.dumps(stats))
        self._clear(drawn.files.keys())

    def _export(self, name: str, table: Table) -> None:
        if self._exported.get(name) == table:
            return
        self._replace(self._published / f"{name}.csv", csv_bytes(table))
        self._replace(self._published / f"{name}.parquet", parquet_bytes(table))
        self._exported[name] = table

    def _clear(self, shown: Collection[str]) -> None:
        """Delete charts that have not been named for a while."""
        now_s = monotonic()
        for path in self._published.glob("*.svg"):
            if path.name in shown:
                self._retired_s.pop(path.name, None)
            elif now_s - self._retired_s.setdefault(path.name, now_s) > RETIRED_KEPT_S:
                path.unlink(missing_ok=True)
                del self._retired_s[path.name]

    def _replace(self, path: Path, content: bytes, mode: int = 0o644) -> None:
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)  # of a run that was killed
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
        new.replace(path)


def unusual(answers: Sequence[Answer], today: date) -> dict[str, int]:
    """Return how many rows of today and yesterday a supervisor should look at, by question."""
    days = {today.isoformat(), (today - timedelta(days=1)).isoformat()}
    counted = {}
    for answer in answers:
        day, is_unusual = (answer.whole.columns.index(name) for name in ("day", "is_unusual"))
        counted[answer.question.name] = sum(
            row[day] in days and bool(row[is_unusual]) for row in answer.whole.rows
        )
    return counted


def _columns_of(stats: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: list(table["columns"]) for name, table in stats["questions"].items()}


def _columns_for_all(answers: Sequence[Answer]) -> dict[str, list[str]]:
    return {
        answer.question.name: list(answer.for_all.columns)
        for answer in answers
        if not answer.question.is_supervision
    }


def _tables(head: Mapping[str, Any], public: Mapping[str, PublicTable]) -> dict[str, Any]:
    return {
        **head,
        "count_min": COUNT_MIN,
        "questions": {
            name: {"columns": table.columns, "rows": table.rows, "rows_left_out": left_out}
            for name, (table, left_out) in public.items()
        },
    }


def _document(
    head: Mapping[str, Any], answers: Sequence[Answer], parked: Sequence[Mapping[str, Any]]
) -> bytes:
    return orjson.dumps(
        {
            **head,
            "parked_by_reason": parked,
            "answers": {
                answer.question.name: {
                    "columns": answer.whole.columns,
                    "types": answer.whole.types,
                    "rows": answer.whole.rows,
                }
                for answer in answers
            },
        }
    )


def _instant(at: datetime | None) -> str | None:
    return at.replace(tzinfo=UTC).isoformat() if at else None
