"""What is published: no personal data, no small number of a place, and only complete files."""

import csv
import io
import re
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from threading import Event

import duckdb
import orjson
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from consumers.analytics.chart_kinds import KINDS
from consumers.analytics.charts import Charts, Drawn
from consumers.analytics.exports import csv_bytes, parquet_bytes
from consumers.analytics.log_source import LOG, LogSource
from consumers.analytics.publishing import Publisher
from consumers.analytics.questions import BY_NAME, QUESTIONS, Answer, Table
from consumers.analytics.sink import Sink
from consumers.analytics.withholding import PublicTable, coarse, for_everybody, withheld
from domain.calendar import shanghai_date
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import as_service
from permit_ledger.sample.command import simulate
from tests.conftest import TEMPLATE
from tests.keks import keyring

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
TODAY = shanghai_date(UNTIL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("city") / "analytics"


@pytest.fixture(scope="module")
def filled(postgres_url, blind_index, policy, folder):
    """A sink with a small city in it, and some checks."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE published_city TEMPLATE {TEMPLATE}")
    url = as_service(make_conninfo(postgres_url, dbname="published_city"))
    with closing(BlockingLedger(url, blind_index=blind_index, keyring=keyring())) as ledger:
        simulate(ledger, permits=250, days=500, seed=3, until=UNTIL, policy=policy)
        head = ledger.head()
    sink = Sink(folder, "log")
    for batch in LogSource(url, EventMapper(OrjsonTranscoder()).parse).batches({}, Event()):
        sink.write(batch)
        if batch.marks[LOG].position == head:
            break
    numbers = [row["n"] for row in sink.rows("SELECT DISTINCT subject AS n FROM events LIMIT 40")]
    sink.write_checks([check(n, numbers[0] if n % 3 else numbers[n % 40]) for n in range(1, 61)])
    yield sink
    sink.close()


def check(n, number):
    return {
        "position": n,
        "checked_at": (UNTIL - timedelta(minutes=n)).replace(tzinfo=None).isoformat(),
        "permit_number": number,
        "track": "electronic",
        "scenario": "patrol_inspection",
        "outcome": "not_effective" if n % 2 else "effective",
        "reason": "not_live" if n % 2 else None,
    }


@pytest.fixture(scope="module")
def published(filled, folder):
    publisher = Publisher(folder)
    publisher.publish(filled.answers(TODAY, 30), filled.vitals(), filled.uncounted(), TODAY)
    while publisher.draw_next():
        pass
    return folder / "published"


def stats(published):
    return orjson.loads((published / "stats.json").read_bytes())


def test_no_permit_and_no_officer_is_published(filled, published, folder):
    """In none of the files; the complete answers, which name some, are for those who may read the
    folder."""
    rows = filled.rows("SELECT DISTINCT subject, actor FROM events")
    names = {value for row in rows for value in row.values() if value}
    assert len(names) > 300
    content = b"".join(
        path.read_bytes() for path in published.iterdir() if path.suffix != ".parquet"
    )
    for path in published.glob("*.parquet"):
        content += str(duckdb.sql(f"SELECT * FROM read_parquet('{path}')").fetchall()).encode()

    words = set(re.findall(r"[\w.:-]+", content.decode()))

    assert set() == words & names
    whole = (folder / "answers.json").read_text()
    assert any(name in whole for name in names)
    assert 0o600 == (folder / "answers.json").stat().st_mode & 0o777


def test_every_question_is_published_as_json_csv_and_parquet(published):
    """With the same columns and numbers."""
    tables = stats(published)["questions"]
    asked = [question.name for question in QUESTIONS if not question.is_supervision]
    assert asked == list(tables)
    for name, table in tables.items():
        header, *rows = csv.reader(io.StringIO((published / f"{name}.csv").read_text()))
        parquet = duckdb.sql(f"SELECT * FROM read_parquet('{published / name}.parquet')")
        assert table["columns"] == header == parquet.columns
        assert len(table["rows"]) == len(rows) == len(parquet.fetchall())
        for row, expected in zip(rows, table["rows"], strict=True):
            assert ["" if value is None else str(value) for value in expected] == row
    assert sum(len(table["rows"]) for table in tables.values()) > 100


def test_no_small_number_of_a_district_or_station_is_published(filled, published):
    """Although there are some; and no value from which one could be computed."""
    small = 0
    answers = {answer.question.name: answer for answer in filled.answers(TODAY, 30)}
    for name, table in stats(published)["questions"].items():
        question = BY_NAME[name]
        if not question.is_local:
            continue
        whole = answers[name].for_all
        for row in whole.rows:
            values = dict(zip(whole.columns, row, strict=True))
            small += any(0 < (values[count] or 0) < 5 for count in question.counts)
        for row in table["rows"]:
            values = dict(zip(table["columns"], row, strict=True))
            assert [] == [count for count in question.counts if 0 < (values[count] or 0) < 5]
    assert small > 10


WHOLE = Table(
    ("station", "cards", "p50_days", "p90_days", "collected_after_due"),
    ("VARCHAR", "BIGINT", "DOUBLE", "DOUBLE", "BIGINT"),
    [["a", 9, 1.0, 2.0, 0], ["b", 9, 1.0, 2.0, 4], ["c", 4, 1.0, 2.0, 0], ["d", 4, 1.0, 2.0, 1]],
)


def test_values_derived_from_a_small_number_are_withheld_with_it():
    """A row of only small numbers is left out and counted; a zero is published."""
    table, left_out = withheld(BY_NAME["delivery_times"], WHOLE)

    assert [
        ["a", 9, 1.0, 2.0, 0],
        ["b", 9, None, None, None],
        ["c", None, None, None, 0],
    ] == table.rows
    assert 1 == left_out


def test_a_total_is_withheld_with_its_smallest_part():
    """Otherwise the part could be computed by subtraction."""
    question = BY_NAME["station_throughput"]
    columns = ("station", "issued", "endorsed", "cards", "other", "total")
    table, _ = withheld(question, Table(columns, (), [["a", 10, 10, 2, 0, 22]]))

    assert [["a", 10, 10, None, 0, None]] == table.rows


def test_in_a_small_city_the_totals_are_withheld_too():
    """Where few permits are in force, the city's own numbers are as small as a district's."""

    def published_losses(in_force):
        due = Table(("division", "in_force"), (), [["320211", in_force]])
        losses = Table(
            ("month", "lost", "found", "reissued", "replaced", "in_force"),
            (),
            [["2026-10-01", 3, 0, 9, 0, in_force]],
        )
        answers = [
            Answer(BY_NAME["endorsements_due"], due, Table((), (), [])),
            Answer(BY_NAME["losses"], losses, losses),
        ]
        return for_everybody(answers)["losses"].table.rows

    assert [["2026-10-01", 3, 0, 9, 0, 100]] == published_losses(100)
    assert [["2026-10-01", None, 0, 10, 0, 100]] == published_losses(99)


def test_public_local_counts_and_shares_are_coarse():
    """A single event changes none of them, or a count by five; a withheld value stays withheld."""
    columns = ("month", "division", "in_force", "claimed", "claimed_share")
    rows = [["m", "a", 1001, 333, 0.3327], ["m", "b", 9, None, None], ["m", "c", 7, 7, 1.0]]
    table = Table(columns, (), rows)

    public = coarse(BY_NAME["electronic_adoption"], PublicTable(table, 2))

    assert [
        ["m", "a", 1000, 335, 0.34],
        ["m", "b", 10, None, None],
        ["m", "c", 5, 5, 1.0],
    ] == public.table.rows
    assert 2 == public.rows_left_out


def test_a_share_tells_nothing_of_the_counts_that_were_rounded():
    """Counts that are rounded alike have equal shares."""
    question = BY_NAME["electronic_adoption"]
    columns = ("month", "division", "in_force", "claimed", "claimed_share")
    shares = {
        coarse(question, PublicTable(Table(columns, (), [row]), 0)).table.rows[0][-1]
        for claimed in range(8, 13)
        for in_force in range(18, 23)
        for row in [["m", "a", in_force, claimed, round(claimed / in_force, 4)]]
    }
    assert {0.5} == shares


@pytest.mark.parametrize("is_restarted", [False, True])
def test_neither_another_day_nor_a_start_publishes_single_events(filled, tmp_path, is_restarted):
    """Other figures than the day's follow once there are enough of them; without any event a new
    day is published."""
    publisher, vitals = Publisher(tmp_path), filled.vitals()

    def published_on(days, events):
        nonlocal publisher
        if is_restarted:
            publisher = Publisher(tmp_path)
        today = TODAY + timedelta(days=days)
        newest = {**vitals, "position": vitals["position"] + events}
        publisher.publish(filled.answers(today, 30), newest, filled.uncounted(), today)
        shown = stats(tmp_path / "published")
        return shown["as_of_position"] - vitals["position"], shown["today"]

    first, second, third = ((TODAY + timedelta(days=n)).isoformat() for n in range(3))
    assert (0, first) == published_on(0, 0)
    assert (0, second) == published_on(1, 0)
    assert (0, second) == published_on(2, 1)
    assert (0, second) == published_on(2, 19)
    assert (20, third) == published_on(2, 20)


def test_charts_are_published_in_both_languages_and_widths(published):
    """Each is a file that the index names, with colours for both schemes; no other chart is
    left."""
    charts = stats(published)["charts"]
    files = [
        name for chart in charts.values() for widths in chart.values() for name in widths.values()
    ]

    assert {kind.name for kind in KINDS} == set(charts)
    assert {"en", "zh"} == set.union(*(set(chart) for chart in charts.values()))
    assert sorted(files) == sorted(path.name for path in published.glob("*.svg"))
    for name in files:
        svg = (published / name).read_text()
        assert svg.startswith("<svg")
        assert "prefers-color-scheme:dark" in svg
        assert "var(--lake)" in svg
        assert "<script" not in svg
    assert "滨湖区" in (published / charts["in_force"]["zh"]["wide"]).read_text()
    assert "Binhu" in (published / charts["in_force"]["en"]["wide"]).read_text()


def test_a_replaced_chart_is_kept_for_a_while(filled, tmp_path, monkeypatch):
    """A client that has just read the index can still load its charts; later they are deleted."""
    now, folder = [0.0], tmp_path / "published"
    monkeypatch.setattr("consumers.analytics.publishing.monotonic", lambda: now[0])
    monkeypatch.setattr("consumers.analytics.charts.draw", _one_line)
    publisher, there = Publisher(tmp_path), []
    for day, now[0] in enumerate([0.0, 1.0, 50.0, 62.0, 200.0]):
        today = TODAY + timedelta(days=day)
        publisher.publish(filled.answers(today, 30), filled.vitals(), filled.uncounted(), today)
        while publisher.draw_next():
            pass
        there.append(sorted(path.name[-5] for path in folder.glob("due.*.svg")))

    assert [["1"], ["1", "2"], ["1", "2", "3"], ["2", "3", "4"], ["4", "5"]] == there


def _one_line(kind, table, today):
    name = f"{kind.name}.en.wide.{today.day:012}.svg"
    return Drawn({name: b"<svg/>"}, {kind.name: {"en": {"wide": name}}})


def test_without_data_no_chart_is_drawn():
    """An empty city has none."""
    empty = {question.name: Table(("day", "month", "division"), (), []) for question in QUESTIONS}
    charts = Charts()
    drawn = [charts.draw_next(empty, date(2026, 6, 1)) for _ in range(len(KINDS) + 1)]

    assert [*[True] * len(KINDS), False] == drawn
    assert {} == charts.all_drawn.by_name


def test_no_cell_of_a_csv_file_is_a_formula(tmp_path):
    """The file is safe to open in a spreadsheet; Parquet has the text unchanged."""
    table = Table(("scenario",), ("VARCHAR",), [["=1+1"], ['it\'s, "so"']])
    (tmp_path / "x.parquet").write_bytes(parquet_bytes(table))

    assert ["scenario", "'=1+1", 'it\'s, "so"'] == [
        row[0] for row in csv.reader(io.StringIO(csv_bytes(table).decode()))
    ]
    found = duckdb.sql(f"SELECT scenario FROM read_parquet('{tmp_path}/x.parquet')").fetchall()
    assert [("=1+1",), ('it\'s, "so"',)] == found


@pytest.mark.parametrize(
    "text", ["+1", "-1", "@SUM(A1)", "\t=1", " =1", '"=1"', "\r=1", "＝1＋1", "－1", "＠A1"]
)
def test_nothing_that_a_spreadsheet_takes_for_a_formula_is_written(text):
    """However it begins: some skip white space and quotation marks, or know full-width signs."""
    table = Table(("scenario",), ("VARCHAR",), [[text]])

    [_, [cell]] = csv.reader(io.StringIO(csv_bytes(table).decode(), newline=""))

    assert f"'{text}" == cell
