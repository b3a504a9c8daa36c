"""A batch in one transaction, when connections break: written once, or reported as unknown."""

import pytest

from ledger.errors import OutcomeUnknown
from ledger.eventlog import bulk_append
from tests.ledger.appends import on, streams

BATCH = [on("a", events=2), on("b", key="1")]


@pytest.fixture
def breaks(monkeypatch, admin):
    """``breaks("write before", "write after", "look")``: the connection of each write, or look at
    what became of one, dies before it begins or after it is done."""
    coming = []

    def die(connection):
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])

    def breaking(act, kind):
        def broken(connection, appends):
            when = coming.pop(0) if coming and coming[0].startswith(kind) else ""
            if when in {"write before", "look"}:
                die(connection)
            outcome = act(connection, appends)
            if when == "write after":
                die(connection)
                connection.execute("SELECT")
            return outcome

        return broken

    for name, kind in (("write", "write"), ("resolve_unknown_outcomes", "look")):
        act = getattr(bulk_append, name)
        monkeypatch.setattr(bulk_append, name, breaking(act, kind))
    return lambda *when: coming.extend(when)


@pytest.mark.parametrize("when", ["write before", "write after"])
def test_a_broken_connection_is_recovered_from(raw_log, breaks, when):
    """What was written is found, everything else is written: once, in either case."""
    breaks(when)

    assert [1, 2, 3] == raw_log.append_all(BATCH)

    assert ["a", "a", "b"] == streams(raw_log)
    assert {"1"} == set(raw_log.answers("officer-1", ["1"]))


@pytest.mark.parametrize(
    ("breaking", "written"),
    [
        (["write after", "look"], True),
        (["write before", "look"], False),
        (["write before", "write after"], True),
        (["write before", "write before"], False),
    ],
    ids=["not found", "not looked for", "second answer lost", "second sending lost"],
)
def test_an_append_whose_connection_breaks_twice_has_an_unknown_outcome(
    raw_log, breaks, breaking, written
):
    """It could not be looked up: it may be stored, and the caller gets exactly that error."""
    breaks(*breaking)

    with pytest.raises(OutcomeUnknown):
        raw_log.append_all(BATCH)

    assert (["a", "a", "b"] if written else []) == streams(raw_log)
