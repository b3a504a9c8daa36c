"""``permit-ledger stats``: the complete answers, from what the role has left in the data folder."""

import csv
import io
import sqlite3
from contextlib import closing
from datetime import date

import duckdb
import pytest
from typer.testing import CliRunner

from consumers.analytics.publishing import Publisher
from consumers.analytics.questions import QUESTIONS
from consumers.analytics.sink import FILE, Sink
from permit_ledger.cli.app import app
from tests.analytics.test_questions import at, issued

TODAY = date(2026, 6, 15)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """``run("losses", …)``: what the command says, and how it ends."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        return CliRunner().invoke(app, ["stats", *arguments, "--data-dir", str(tmp_path)])

    return run


@pytest.fixture
def published(put, sink, folder):
    """A small city's statistics, as the role leaves them when it stops."""
    put(
        *(("issued", f"P{n}", at("2026-01-05"), issued("2026-01-05")) for n in range(3)),
        (
            "address-changed",
            "P1",
            at("2026-03-20"),
            {"moved_on": "2026-03-01", "residence": {"division": "320281"}},
        ),
        ("identity-corrected", "P2", at("2026-03-20"), {"actor": "officer-2"}),
    )
    publisher = Publisher(folder)
    publisher.publish(sink.answers(TODAY, 30), sink.vitals(), sink.uncounted(), TODAY)
    sink.close()
    return folder


def test_without_a_question_all_are_answered(run, published):
    """With small numbers, permits and officers: it is for those who may read the folder."""
    ran = run()

    assert 0 == ran.exit_code
    assert [] == [question.name for question in QUESTIONS if question.name not in ran.stdout]
    assert "officer-1" in ran.stdout
    assert "as of event 5, for 2026-06-15" in ran.stdout


def test_an_answer_can_be_written_as_csv_and_parquet(run, published, tmp_path):
    """The complete answer."""
    table, parquet = tmp_path / "c.csv", tmp_path / "c.parquet"
    ran = run("corrections", "--csv", str(table), "--parquet", str(parquet))

    header, *rows = csv.reader(io.StringIO(table.read_text()))
    assert 0 == ran.exit_code, ran.output
    assert "actor" in header
    assert (
        len(rows)
        == 2
        == duckdb.sql(f"SELECT count(*) FROM read_parquet('{parquet}')").fetchall()[0][0]
    )


def test_what_is_written_follows_no_link(run, published, tmp_path):
    """Neither of the file's name nor of one that a library would write to first; it is its
    owner's."""
    target, folder = tmp_path / "another's", tmp_path / "charts"
    target.write_text("content")
    folder.mkdir()
    names = ["c.csv", "c.parquet", "tmp_c.parquet", "charts/in_force.en.svg"]
    for name in names:
        (tmp_path / name).symlink_to(target)
    files = ["--csv", str(tmp_path / "c.csv"), "--parquet", str(tmp_path / "c.parquet")]

    assert 0 == run("corrections", *files).exit_code
    assert 0 == run("--charts", str(folder)).exit_code
    assert "content" == target.read_text()
    for name in names:
        if not name.startswith("tmp_"):
            assert 0o100600 == (tmp_path / name).lstat().st_mode


def test_charts_have_titles_and_are_in_both_languages(run, published, tmp_path):
    """To be put into a report."""
    ran = run("--charts", str(tmp_path / "charts"))

    assert 0 == ran.exit_code, ran.output
    chinese = (tmp_path / "charts" / "in_force.zh.svg").read_text()
    assert "各区有效居住证" in chinese
    assert "Permits in force, by district" in (tmp_path / "charts" / "in_force.en.svg").read_text()
    assert "var(--" not in chinese


def test_another_day_is_answered_from_the_file(run, published):
    """As it was known then, and as it is known now; while the role has the file open too."""
    with closing(Sink(published, "log")):
        ran = run("in_force_by_district", "--day", "2026-03-10")

    assert 0 == ran.exit_code, ran.output
    lines = [
        line.split() for line in ran.stdout.replace("│", " ").splitlines() if "2026-03-10" in line
    ]
    assert [["2026-03-10", "320211", "2", "3"], ["2026-03-10", "320281", "1", "0"]] == lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "there is in_force_by_district"),
        (["--csv", "x.csv"], "name the question"),
        (["losses", "--day", "yesterday"], "a date looks like"),
        (["losses", "--recount"], "--recount goes with no question"),
    ],
)
def test_invalid_questions_are_refused(run, published, arguments, said):
    """Exit code 2, and what to do."""
    ran = run(*arguments)

    assert 2 == ran.exit_code
    assert said in " ".join(ran.output.split())


def test_a_recount_says_what_is_wrong_and_repairs_it(run, published):
    """Exit code 1 if anything was; not while the role has the file open."""
    with closing(sqlite3.connect(published / FILE)) as connection, connection:
        connection.execute("DELETE FROM card_events")
        connection.execute("UPDATE station_days SET n = 99")
    with closing(Sink(published, "log")):
        assert (1, True) == _said(run("--recount"), "another process has")

    assert (1, True) == _said(run("--recount"), "station_days: 2 cells were wrong, 2 are right")
    assert (0, True) == _said(run("--recount"), "5 events counted again: every roll-up is equal")


def _said(ran, words):
    return ran.exit_code, words in " ".join(ran.output.split())


def test_without_statistics_it_reports_what_to_do(run):
    """Exit code 1."""
    assert 1 == run().exit_code
    assert (1, True) == _said(run("--recount"), "run `permit-ledger analytics`")


def test_a_file_that_was_published_can_be_opened_again(published):
    """By the role, which resumes where it was."""
    with closing(Sink(published, "log")) as sink:
        assert 5 == sink.vitals()["position"]
