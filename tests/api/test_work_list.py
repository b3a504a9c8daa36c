"""A station's work list: its lists, their order and pages, and whose it is."""

from datetime import date, timedelta

import psycopg
import pytest

from domain.calendar import Term

TODAY = date(2026, 11, 30)


@pytest.fixture(scope="module")
def station():
    """One whose permits are this module's alone."""
    return "320282-12"


@pytest.fixture
def officer(caller, station, at):
    at(TODAY.isoformat())
    return caller("registrar", station=station)


@pytest.fixture
def issued(officer, application):
    """``issued("2025-12-01")``: the number of a permit of this station, issued on that day."""

    def make(issued_on):
        answer = officer.post("/v1/permits", application(issued_on=issued_on))
        assert answer.status_code == 201, answer.text
        return answer.json()["permit_number"]

    return make


@pytest.fixture
def listed(officer):
    """``listed(window="open")``: the numbers on all pages of a list, a page at a time."""

    def numbers(limit=2, **query):
        found, before = [], None
        while True:
            more = {"before": before} if before else {}
            answer = officer.get("/v1/permits", limit=limit, **query, **more)
            assert answer.status_code == 200, answer.text
            document = answer.json()
            assert (document["counts"] is None) == bool(before)
            assert ("next" in answer.links) == (document["next_before"] is not None)
            found += [permit["permit_number"] for permit in document["permits"]]
            if (before := document["next_before"]) is None:
                return found

    return numbers


def test_a_permit_is_in_the_lists_that_its_state_and_the_day_put_it_in(officer, issued, listed):
    """In their order, each once over all pages; a command takes it out of one by itself."""
    closing = [issued("2025-12-01"), issued("2025-12-08")]
    later = issued("2025-12-09")
    opening = issued("2025-12-31")  # its window has opened today, on 30 November
    outside = issued("2026-01-01")
    overdue = [issued("2025-11-30"), issued("2025-10-01")]
    everyone = [*closing, later, opening, outside, *overdue]

    assert closing == listed(window="closing")
    assert [*closing, later, opening] == listed(window="open")
    assert overdue == listed(window="overdue") == listed(status="use_suspended")
    assert [*closing, later, opening, outside] == listed(status="in_force")
    assert sorted(everyone) == sorted(listed(status="waiting_for_collection"))
    assert everyone[::-1] == listed()
    assert [] == listed(status="ended", window="open") == listed(status="voided")

    path = f"/v1/permits/{closing[0]}"
    assert officer.post(f"{path}/endorsements", {"card_presented": "card"}).status_code == 200
    assert officer.post(f"{path}/deliveries").status_code == 200
    assert officer.post(f"/v1/permits/{later}/loss-reports").status_code == 200
    assert officer.post(f"/v1/permits/{opening}/voidings", {"finding": "冒用"}).status_code == 409
    cancelled = officer.post(f"/v1/permits/{opening}/cancellations", {"reason": "renounced"})

    assert [closing[1], later] == listed(window="open")
    assert (
        [later] == listed(status="reported_lost") == listed(status="reported_lost", window="open")
    )
    assert sorted([closing[1], outside, *overdue]) == sorted(
        listed(status="waiting_for_collection")
    )
    assert [opening] == listed(status="ended")
    assert [opening, later, closing[0]] == listed()[:3]
    first = officer.get("/v1/permits", limit=1)
    assert {"open": 2, "closing": 1, "overdue": 2, "waiting_for_collection": 4} == first.json()[
        "counts"
    ]
    assert cancelled.headers["Ledger-Position"] <= first.headers["Ledger-Position"]
    [permit] = first.json()["permits"]
    assert (permit["permit_number"], "2026-01-15") == (opening, permit["card_due_on"])
    assert {"name", "citizen_id_number"}.isdisjoint(permit)
    assert [opening] == listed(updated_since=permit["updated_at"])


def test_another_stations_list_is_refused(officer, caller, station, issued):
    """403, and what is its own does not show there."""
    number = issued("2026-01-05")
    stranger = caller("registrar", station="320282-11")

    assert 403 == stranger.get("/v1/permits", station=station).status_code
    assert number not in stranger.get("/v1/permits", station="320282-11").text
    assert number in officer.get("/v1/permits", station=station).text


def test_a_list_that_takes_too_long_is_given_up(service, officer):
    """503 with what to do, long before the caller has gone; the next one is answered."""
    with psycopg.connect(service.database_url) as owner:
        owner.execute("LOCK TABLE views.electronic_permits IN ACCESS EXCLUSIVE MODE")
        answer = officer.get("/v1/permits", status="in_force")

    assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])
    assert "Retry-After" in answer.headers
    assert "choose less" in answer.json()["detail"]
    assert officer.get("/v1/permits", status="in_force").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"window": "shut"},
        {"status": "lost"},
        {"updated_since": "yesterday"},
        {"before": "nonsense"},
        {"before": "2026-13-01_84G7ZWYRD6Z1", "window": "open"},
        {"before": "2026-12-01T00:00:00_84G7ZWYRD6Z1"},
        {"before": "2026-12-01T00:00:00Z_84G7ZWYRD6Z1", "window": "open"},
        {"before": "2026-12-01_84G7ZWYRD6Z1"},
        {"before": "0001-01-01T00:00:00+01:00_84G7ZWYRD6Z1"},
        {"limit": 0},
    ],
)
def test_a_query_that_means_nothing_is_refused(officer, query):
    """Also a place of another list."""
    answer = officer.get("/v1/permits", **query)

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("issued_on", ["2024-02-29", "2025-03-31", "2023-12-31", "2024-08-30"])
def test_windows_in_the_list_are_the_laws(officer, at, issued, listed, issued_on):
    """On each day around the window's ends, for anchors that a shorter month clamps."""
    number = issued(issued_on)
    term = Term(date.fromisoformat(issued_on))
    window = term.endorsement_window
    for day in (window.opens, window.closes):
        for today in (day - timedelta(days=1), day, day + timedelta(days=1)):
            at(today.isoformat())
            is_open = number in listed(limit=200, window="open")
            is_overdue = number in listed(limit=200, window="overdue")
            assert (today in window, term.is_overdue(today)) == (is_open, is_overdue), today
