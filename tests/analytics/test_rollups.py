"""Roll-ups that are changed batch by batch equal a recount, whatever happens and in whatever order;
a recount finds what is wrong, repairs it, and goes on where it was stopped."""

from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consumers.analytics import questions
from consumers.analytics import recount as recounts
from consumers.analytics import sink as sinks
from consumers.analytics.batch import BatchBuilder, UncountedRecord
from consumers.analytics.facts import row_of
from consumers.analytics.recount import recount as count_again
from consumers.analytics.rollups import ROLLUPS
from consumers.analytics.sink import EVENTS, Sink
from consumers.contract.cloudevents import EventRecord
from tests.analytics.test_questions import at, check, issued

LEAP_YEAR, GRACE_DAYS = 2024, 30

days = st.sampled_from(
    [
        date(year, month, day)
        for year in range(2024, 2028)
        for month, day in ((1, 4), (1, 5), (2, 28), (2, 29), (3, 1), (12, 31))
        if (month, day) != (2, 29) or year == LEAP_YEAR
    ]
)
"""So few that terms begin and run out on days on which other things happen."""
texts = days.map(date.isoformat)
instants = st.builds(
    lambda day, minute: (
        datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
    ),
    days,
    st.sampled_from([0, 1, 959, 960, 961, 1439]),
)
anywhen = days | st.dates(date(2024, 1, 1), date(2028, 1, 1))
years = st.integers(1, 3)
homes = st.sampled_from(["320205", "320211", "320281"]).map(lambda code: {"division": code})
serials = st.integers(1, 2)
of_permits = {
    "issued": {"anchor": texts, "years": years, "residence": homes, "card_serial": serials},
    "endorsed": {
        "anchor": texts,
        "years": years,
        "endorsed_on": texts,
        "kind": st.sampled_from(["on_time", "in_grace", "re_anchored"]),
    },
    "address-changed": {"moved_on": texts, "residence": homes},
    "electronic-claimed": {"station": st.none()},
    "device-bound": {"station": st.none()},
    "card-reported-lost": {"lost_on": st.none() | texts, "card_serial": serials},
    "loss-lifted": {"lifted_on": texts},
    "card-reissued": {"card_serial": serials, "card_due_on": texts},
    "card-replaced": {"card_serial": serials},
    "card-delivered": {"delivered_on": texts, "card_serial": serials},
    "identity-corrected": {},
    "cancelled": {},
    "voided": {},
    "holder-restricted": {"station": st.none()},
    "holder-erased": {"station": st.none()},
}
of_applications = {
    "accepted": {"accepted_on": texts, "due_date": texts},
    "due-date-set": {"due_date": texts},
    "returned": {},
    "withdrawn": {},
    "collected": {},
    "holder-erased": {"station": st.none()},
}
OFTEN = {"endorsed", "address-changed", "card-reported-lost", "holder-erased"}
"""True from another day than that of their record and bound by earlier ones; or of all roll-ups."""


def events(kind, subjects, fields_of):
    """Of one kind: kind, subject, name, instant, fields."""
    officer = {
        "station": st.sampled_from(["320211-01", "320205-02"]),
        "actor": st.sampled_from(["officer-1", "officer-2"]),
    }
    names = sorted(fields_of)
    names += [name for name in names if name in OFTEN] * 3
    return st.sampled_from(names).flatmap(
        lambda name: st.tuples(
            st.just(kind),
            st.sampled_from(subjects),
            st.just(name),
            instants,
            st.fixed_dictionaries({**officer, **fields_of[name]}),
        )
    )


permits = events("permit", "ABC", of_permits)
first = events("permit", "ABC", {"issued": of_permits["issued"]})
everything = st.tuples(
    st.lists(first, max_size=4),
    st.lists(permits | events("id-card", "XY", of_applications), min_size=10, max_size=40),
).map(lambda both: both[0] + both[1])
checks = st.lists(
    st.tuples(
        st.sampled_from([None, *"ABX"]),
        st.sampled_from([None, "not_live", "superseded_card"]),
        st.sampled_from(["physical", "electronic"]),
        st.sampled_from([None, "aa", "bb"]),
        st.sampled_from(["patrol_inspection", "school"]),
        instants,
    ),
    max_size=20,
)
disturbances = st.sampled_from(["none", "restart", "interrupted", "again", "checks", "checks"])


def rows_of(happened):
    """The events as rows, with positions and versions as they come."""
    versions = {}
    for position, (kind, subject, name, instant, fields) in enumerate(happened, 1):
        versions[subject] = version = versions.get(subject, 0) + 1
        yield row_of(
            EventRecord(
                position=position,
                type=f"{kind}.{name}.v1",
                time=instant,
                subject=subject,
                version=version,
                source="by hand",
                fields={key: value for key, value in fields.items() if value is not None},
            )
        )


class Interrupted(Exception):
    """As by the end of the process."""


def interrupt(*_):
    raise Interrupted


def fail_once(counted, batch, monkeypatch):
    """The rows are written, and then nothing more: neither they nor the marks may stay."""
    with monkeypatch.context() as patched, suppress(Interrupted):
        patched.setattr(sinks, "add", interrupt)
        counted.write(batch)
        raise AssertionError("it was not interrupted")


def fill(folder, happened, checked, steps, monkeypatch):
    """Write everything in batches between which something happens; return the open sink."""
    rows, checked = (
        list(rows_of(happened)),
        [
            check(n, reason, number, instant.replace(tzinfo=None), track, verifier, scenario)
            for n, (number, reason, track, verifier, scenario, instant) in enumerate(checked, 1)
        ],
    )
    counted, written = Sink(folder, "log"), 0
    for size, disturbance in [*steps, (len(rows), "checks")]:
        builder = BatchBuilder(counted.marks(EVENTS))
        begin = 0 if disturbance == "again" else written
        for row in rows[begin : written + size]:
            builder.take(0, row["position"], row)
        written = min(written + size, len(rows))
        batch = builder.batch()
        if disturbance == "interrupted":
            fail_once(counted, batch, monkeypatch)
        if disturbance in {"interrupted", "restart"}:
            counted.close()
            counted = Sink(folder, "log")
        counted.write(batch)
        if disturbance == "checks" and checked:
            some = len(checked) if size == len(rows) else size
            now, checked = checked[:some], checked[some:]
            if now:
                counted.write_checks(now)
    return counted


@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    happened=everything,
    checked=checks,
    steps=st.lists(st.tuples(st.integers(1, 12), disturbances), max_size=8),
    today=anywhen,
    shown=st.lists(anywhen, min_size=1, max_size=6),
)
def test_roll_ups_equal_a_recount(recount, monkeypatch, happened, checked, steps, today, shown):
    """Every cell, and every answer on any day: after late and backdated events, a clock that was
    set back, erasures, records that are read twice, and stops before a batch is complete."""
    with (
        TemporaryDirectory() as folder,
        closing(fill(Path(folder), happened, checked, steps, monkeypatch)) as counted,
    ):
        assert len(happened) == counted.vitals()["events"]
        assert [] == count_again(counted, lambda *_: None)
        recount.load(counted)
        for listed in (None, [*shown, today]):
            recount.set_day(today, GRACE_DAYS, listed)
            questions.set_day(counted.connection, today, GRACE_DAYS, listed)
            for question in questions.QUESTIONS:
                table = questions.ask(counted.connection, question).whole
                assert (question.name, recount.answer(question.name)) == (
                    question.name,
                    (table.columns, table.rows),
                )


@pytest.fixture
def city(put, sink):
    """Some cells in every roll-up of events and checks."""
    put(
        *(("issued", f"P{n}", at("2026-01-15"), issued("2026-01-05")) for n in range(40)),
        *(("voided", f"P{n}", at("2026-02-15"), {}) for n in range(9)),
    )
    put(
        (
            "accepted",
            "X",
            at("2026-05-04"),
            {"accepted_on": "2026-05-04", "due_date": "2026-06-01"},
        ),
        kind="id-card",
    )
    sink.write_checks(
        [
            check(n, "superseded_card", f"P{n}", track="physical", verifier="aa")
            for n in range(1, 30)
        ]
    )
    return sink


def cells(sink):
    return {name: sink.rows(f"SELECT * FROM {name}") for name in ROLLUPS}


def test_a_recount_says_what_was_wrong_and_repairs_it(city):
    """A number, a cell too many, and one that is missing."""
    right = cells(city)
    city.connection.execute("UPDATE in_force SET n = n + 1")
    city.connection.execute("INSERT INTO outcomes VALUES ('2026-01-01', '', 5)")
    city.connection.execute("DELETE FROM verifier_checks WHERE what = 'checks'")

    found = {one.rollup: (one.live, one.recounted) for one in count_again(city, lambda *_: None)}

    assert {"in_force", "outcomes", "verifier_checks"} == found.keys()
    assert ((1, 0), (0, 1)) == (found["outcomes"], found["verifier_checks"])
    assert right == cells(city)


def test_a_stopped_recount_continues_where_it_was_unless_there_are_new_events(
    city, put, monkeypatch
):
    """It reports how far it is."""
    monkeypatch.setattr(recounts, "PAGE_EVENTS", 10)
    monkeypatch.setattr(recounts, "CELLS_MAX", 1)
    stop, seen = Event(), []

    def report(what, done, of):
        seen.append((what, done, of))
        if len(seen) in {2, 4}:
            stop.set()

    assert count_again(city, report, stop) is None
    stop.clear()
    assert count_again(city, report, stop) is None
    stop.clear()
    put(("issued", "Q", at("2026-03-15"), issued("2026-01-05")))
    assert [] == count_again(city, report, stop)

    done = [n for what, n, _ in seen if what == "events"]
    assert done[:4] == sorted(set(done[:4]))
    assert done[4] == done[0], "new events, and it has gone on with the old count"
    assert (51, 51) == (done[-1], seen[seen.index(("events", 51, 51))][2])
    assert ("checks", 29, 29) in seen
    assert [] == [path for path in city.folder.iterdir() if path.name.startswith("recount")]


def test_roll_ups_of_other_rules_are_counted_again_from_the_file(folder, city, monkeypatch):
    """Not from the log: nothing is read from there again."""
    right = cells(city)
    city.connection.execute("UPDATE in_force SET n = 7")
    city.close()
    monkeypatch.setattr(sinks, "VERSION", 0)

    with closing(Sink(folder, "log")) as again:
        assert again.is_of_other_rules
        count_again(again, lambda *_: None)
        assert not again.is_of_other_rules
        assert (right, 50) == (cells(again), again.vitals()["events"])


def test_records_that_cannot_be_counted_are_counted_by_reason(sink):
    """With the place of the first one."""
    builder = BatchBuilder({})
    for offset in range(3):
        builder.leave_out(UncountedRecord(2, offset, "bad" if offset else "worse"))
    sink.write(builder.batch())

    assert [
        {"reason": "bad", "records": 2, "partition": 2, "first_offset": 1},
        {"reason": "worse", "records": 1, "partition": 2, "first_offset": 0},
    ] == sink.uncounted()
