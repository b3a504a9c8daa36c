"""PostgreSQL cannot store one command of a batch: only that command fails."""

import random
from functools import partial

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from ledger.errors import Unavailable
from ledger.eventlog.append import Append

GOOD = 6
TOO_LONG = random.Random(1).randbytes(3000).hex()  # noqa: S311
"""For an index, compressed as well."""


@pytest.fixture
def append(services):
    """``append(stream)``: the first event of a stream."""
    service = services()

    def append(stream, version=1):
        event = StoredEvent(stream, version, "permit.endorsed.v1", b"{}")
        return service.ledger.log.append(Append([event]))

    append.service = service
    return append


@pytest.mark.parametrize(
    ("stream", "version", "error"),
    [
        ("a\x00b", 1, psycopg.DataError),
        ("a\ud800b", 1, UnicodeEncodeError),
        ("a", 2**40, psycopg.DataError),
        ("a", 0, psycopg.errors.CheckViolation),
        (TOO_LONG, 1, psycopg.errors.ProgramLimitExceeded),
    ],
    ids=["zero byte", "half a character", "large number", "no version", "too long for an index"],
)
def test_only_the_command_that_cannot_be_stored_fails(append, together, stream, version, error):
    """With an error of its own; the others get their positions, without a gap."""
    acts = [partial(append, f"good-{n}") for n in range(GOOD)]
    acts.insert(GOOD // 2, partial(append, stream, version))

    outcomes = together(append.service, partial(append, "first"), acts)

    poisoned = outcomes.pop(GOOD // 2)
    assert isinstance(poisoned, error)
    assert not isinstance(poisoned, Unavailable)
    assert list(range(2, GOOD + 2)) == sorted(position for [position] in outcomes)
    assert GOOD + 1 == append.service.ledger.head()
    assert [GOOD + 2] == append("afterwards")
