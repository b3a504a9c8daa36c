"""The statistics over HTTP: public, as of a position, updated with new events."""

import csv
import io
import json

import httpx
import pytest

from tests.waiting import until

WAIT_S = 180
QUESTIONS = {
    "in_force_by_district",
    "delivery_times",
    "endorsements_due",
    "endorsement_outcomes",
    "losses",
    "applications",
    "electronic_adoption",
    "checks_answered",
    "corrections",
    "station_throughput",
    "suspicious",
}


@pytest.fixture
def counted(http):
    """``counted(position)``: the statistics, as soon as they have counted that position."""

    def counted(position):
        def is_there():
            answer = http.get("/v1/stats")
            return answer.is_success and answer.json()["as_of_position"] >= position

        until(is_there, wait_s=WAIT_S)
        return http.get("/v1/stats")

    return counted


def test_statistics_have_a_position_and_are_updated(counted, issue, act):
    """Without a token; a command is counted soon."""
    first = counted(issue()["as_of_position"])
    permit = issue()
    lost = act(permit["permit_number"], "loss-reports")["as_of_position"]
    second = counted(lost)

    assert QUESTIONS == set(second.json()["questions"])
    assert str(second.json()["as_of_position"]) == second.headers["ledger-position"]
    assert second.json()["events"] > first.json()["events"]
    assert second.json()["events"] + second.json()["parked"] == second.json()["as_of_position"]
    assert permit["permit_number"] not in second.text


def test_unchanged_statistics_get_304(http, counted, issue):
    """By their digest, which changes with them."""
    answer = counted(issue()["as_of_position"])
    until(lambda: _again(http).status_code == 304, wait_s=WAIT_S)

    assert answer.headers["etag"].startswith('"')
    assert b"" == _again(http).content


def _again(http):
    tag = http.get("/v1/stats").headers["etag"]
    return http.get("/v1/stats", headers={"If-None-Match": tag})


def test_each_question_can_be_downloaded(http, counted, issue):
    """As CSV and as Parquet, under its own name."""
    tables = counted(issue()["as_of_position"]).json()["questions"]
    for name, question in tables.items():
        table = http.get(f"/v1/stats/files/{name}.csv")
        assert "text/csv; charset=utf-8" == table.headers["content-type"]
        assert f'attachment; filename="{name}.csv"' == table.headers["content-disposition"]
        assert question["columns"] == next(csv.reader(io.StringIO(table.text)))
        assert b"PAR1" == http.get(f"/v1/stats/files/{name}.parquet").content[:4]


def test_no_other_file_is_served(subtests, http):
    """Only published names are found, whatever is in the folder."""
    for name in [
        "nothing.csv",
        "stats.json",
        "..%2Fanswers.json",
        "..%2Fstatistics.duckdb",
        "losses.csv%00.svg",
        "due.en.wide.000000000000.svg",
        "losses.CSV",
    ]:
        with subtests.test(name=name):
            answer = http.get(f"/v1/stats/files/{name}")

            assert 404 == answer.status_code
            assert "application/problem+json" == answer.headers["content-type"]


def test_a_stream_sends_new_statistics(service, issue, counted):
    """First the current ones, then each update."""
    counted(issue()["as_of_position"])
    with (
        httpx.Client(base_url=service.url, timeout=30) as client,
        client.stream("GET", "/v1/stats/live") as answer,
    ):
        heard = (
            json.loads(line.removeprefix("data: "))
            for line in answer.iter_lines()
            if line.startswith("data: ")
        )
        first = next(heard)
        issue()
        second = next(heard)

    assert {"digest"} == set(first) == set(second)
    assert first != second
