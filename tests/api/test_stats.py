"""The statistics over HTTP: public, as of a position, updated with new events."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from consumers.analytics.publishing import STEP_EVENTS, STEP_EVENTS_MIN
from tests.waiting import until

WAIT_S = 180
ROOM = STEP_EVENTS_MIN // 2
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
def counted(registrar):
    """``counted(position)``: the statistics for staff, as soon as they have that position."""

    def counted(position):
        def is_there():
            answer = registrar.get("/v1/stats/staff")
            return answer.is_success and answer.json()["as_of_position"] >= position

        until(is_there, wait_s=WAIT_S)
        return registrar.get("/v1/stats/staff")

    return counted


@pytest.fixture
def published(http, counted, issue):
    """``published()``: the public statistics."""

    def published():
        counted(issue()["as_of_position"])
        until(lambda: http.get("/v1/stats").is_success, wait_s=WAIT_S)
        return http.get("/v1/stats")

    return published


@pytest.fixture
def more_than_a_step(registrar, application):
    """``more_than_a_step()``: so many events that the public statistics go on."""

    def more_than_a_step():
        with ThreadPoolExecutor(8) as eight:
            answers = list(
                eight.map(
                    lambda person: registrar.post("/v1/permits", person),
                    [application() for _ in range(STEP_EVENTS + 1)],
                )
            )
        assert {201} == {answer.status_code for answer in answers}

    return more_than_a_step


def test_supervisors_see_what_officers_and_verifiers_do(
    registrar, supervisor, counted, issue, act, check
):
    """By name for officers, by a digest for verifiers; no one else sees it."""
    numbers = [issue()["permit_number"] for _ in range(3)]
    for number in numbers:
        check(number)
        voided = act(number, "voidings", finding="forged lease")
    counted(voided["as_of_position"])

    def officers():
        answer = supervisor.get("/v1/stats/supervision").json()
        table = answer["questions"]["officer_days"]
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        return [row for row in rows if row["voided"] >= 3 and row["is_unusual"]] and answer

    until(officers, wait_s=WAIT_S)
    answer = officers()
    assert 1 <= answer["unusual"]["officer_days"]
    verifiers = answer["questions"]["verifier_days"]
    assert "verifier@development" not in str(verifiers)
    assert 403 == registrar.get("/v1/stats/supervision").status_code


def figures(answer):
    """Without the charts, which are drawn later."""
    return {name: value for name, value in answer.json().items() if name != "charts"}


@pytest.fixture
def just_published(http, published, counted, issue, more_than_a_step):
    """``just_published()``: public statistics to which the next few events add nothing yet."""

    def just_published():
        last = published().json()["as_of_position"]
        more_than_a_step()
        while True:
            counted_now = counted(issue()["as_of_position"]).json()
            answer = http.get("/v1/stats")
            position = answer.json()["as_of_position"]
            is_today = answer.json()["today"] == counted_now["today"]
            if is_today and position > last and counted_now["as_of_position"] - position < ROOM:
                return answer

    return just_published


def test_public_statistics_do_not_show_what_one_event_has_changed(
    http, just_published, counted, issue, act, more_than_a_step
):
    """By subtraction of two answers, before and after an event whose permit is known, anyone could
    learn its district. They change in steps of many events; staff see each."""
    before = just_published()
    permit = issue()
    after = counted(act(permit["permit_number"], "loss-reports")["as_of_position"])

    assert after.json()["events"] > before.json()["events"]
    assert figures(before) == figures(http.get("/v1/stats"))

    more_than_a_step()
    until(lambda: figures(http.get("/v1/stats")) != figures(before), wait_s=WAIT_S)
    later = http.get("/v1/stats").json()
    assert later["as_of_position"] - before.json()["as_of_position"] >= STEP_EVENTS
    table = later["questions"]["in_force_by_district"]
    shown = [row[table["columns"].index("in_force")] for row in table["rows"]]
    assert shown
    assert all(count % 5 == 0 for count in shown if count is not None)


def test_statistics_have_a_position_and_are_updated(counted, issue, act):
    """A command is counted soon."""
    first = counted(issue()["as_of_position"])
    permit = issue()
    lost = act(permit["permit_number"], "loss-reports")["as_of_position"]
    second = counted(lost)

    assert QUESTIONS == set(second.json()["questions"])
    assert str(second.json()["as_of_position"]) == second.headers["ledger-position"]
    assert second.json()["events"] > first.json()["events"]
    assert second.json()["events"] + second.json()["parked"] == second.json()["as_of_position"]
    assert permit["permit_number"] not in second.text


def test_unchanged_statistics_get_304(http, published):
    """By their digest, which changes with them."""
    answer = published()
    until(lambda: _again(http).status_code == 304, wait_s=WAIT_S)

    assert answer.headers["etag"].startswith('"')
    assert b"" == _again(http).content


def _again(http):
    tag = http.get("/v1/stats").headers["etag"]
    return http.get("/v1/stats", headers={"If-None-Match": tag})


def test_each_question_can_be_downloaded(http, published):
    """As CSV and as Parquet, under its own name."""
    tables = published().json()["questions"]
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
        "live.json",
        "..%2Fanswers.json",
        "..%2Fstatistics.sqlite",
        "losses.csv%00.svg",
        "due.en.wide.000000000000.svg",
        "losses.CSV",
    ]:
        with subtests.test(name=name):
            answer = http.get(f"/v1/stats/files/{name}")

            assert 404 == answer.status_code
            assert "application/problem+json" == answer.headers["content-type"]


def test_a_stream_sends_new_statistics(service, published, more_than_a_step):
    """First the current ones, then each update."""
    published()
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
        more_than_a_step()
        second = next(heard)

    assert {"digest"} == set(first) == set(second)
    assert first != second
