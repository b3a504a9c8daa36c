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
    """``counted(position)``: the statistics, as soon as they are as far as that."""

    def counted(position):
        def is_there():
            answer = http.get("/v1/stats")
            return answer.is_success and answer.json()["as_of_position"] >= position

        until(is_there, wait_s=WAIT_S)
        return http.get("/v1/stats")

    return counted


def test_they_are_as_of_a_position_and_come_with_each_event(counted, issue, act):
    """Without a token; what was done is counted soon."""
    first = counted(issue()["as_of_position"])
    permit = issue()
    lost = act(permit["permit_number"], "loss-reports")["as_of_position"]
    second = counted(lost)

    assert QUESTIONS == set(second.json()["questions"])
    assert str(second.json()["as_of_position"]) == second.headers["ledger-position"]
    assert second.json()["events"] > first.json()["events"]
    assert second.json()["events"] + second.json()["parked"] == second.json()["as_of_position"]
    assert permit["permit_number"] not in second.text


def test_who_has_them_already_is_told_so(http, counted, issue):
    """304 by their digest, which changes with them."""
    answer = counted(issue()["as_of_position"])
    until(lambda: _again(http).status_code == 304, wait_s=WAIT_S)

    assert answer.headers["etag"].startswith('"')
    assert b"" == _again(http).content


def _again(http):
    tag = http.get("/v1/stats").headers["etag"]
    return http.get("/v1/stats", headers={"If-None-Match": tag})


def test_each_question_can_be_taken_home(http, counted, issue):
    """As CSV and as Parquet, under a name of its own."""
    told = counted(issue()["as_of_position"]).json()["questions"]
    for name, question in told.items():
        table = http.get(f"/v1/stats/files/{name}.csv")
        assert "text/csv; charset=utf-8" == table.headers["content-type"]
        assert f'attachment; filename="{name}.csv"' == table.headers["content-disposition"]
        assert question["columns"] == next(csv.reader(io.StringIO(table.text)))
        assert b"PAR1" == http.get(f"/v1/stats/files/{name}.parquet").content[:4]


def test_no_other_file_is_handed_out(subtests, http):
    """What is no name of a published file is not there, whatever lies in the folder."""
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


def test_whoever_listens_hears_of_new_ones(service, issue, counted):
    """First which there are, then which there are now."""
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
