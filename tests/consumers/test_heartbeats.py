"""What the relay tells of where the log was; no broker is needed for that."""

import json
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace

import pytest

from consumers.contract.heartbeats import VALUE_BYTES_MAX, Heartbeat, Pulse, heartbeat_in

SOURCE = "https://ledger.example/permits"
AT = datetime(2026, 11, 26, 8, 30, 0, 250_000, UTC)
TOLD = {"position": 7, "at": AT.isoformat()}


def record(value, key=SOURCE):
    content = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return SimpleNamespace(key=key and key.encode(), value=content)


@pytest.fixture
def log():
    """``log.position`` is where it ends; ``log.look()`` says so, and counts."""

    class Log:
        position = 5
        looks = count(1)

        def look(self):
            return Heartbeat(self.position, AT.replace(second=next(self.looks)))

    return Log()


def test_what_was_written_is_read():
    sent = Heartbeat(7, AT).record("a-topic", SOURCE)

    read = heartbeat_in(SimpleNamespace(key=sent.key, value=sent.value), SOURCE)

    assert Heartbeat(7, AT) == read
    assert ("a-topic", 0) == (sent.topic, sent.partition)


@pytest.mark.parametrize(
    "strange",
    [
        record(TOLD, key="https://elsewhere"),
        record(TOLD, key=None),
        record(None),
        record(b""),
        record(b"\xff{"),
        record([]),
        record("x"),
        record({}),
        record({**TOLD, "position": -1}),
        record({**TOLD, "position": True}),
        record({**TOLD, "position": "7"}),
        record({**TOLD, "at": "2026-11-26T08:30:00"}),
        record({**TOLD, "at": "soon"}),
        record({**TOLD, "at": 7}),
        record({**TOLD, "more": "x" * VALUE_BYTES_MAX}),
    ],
    ids=lambda one: repr(one.value)[:40],
)
def test_anything_else_is_none(strange):
    assert heartbeat_in(strange, SOURCE) is None


def test_it_waits_until_what_it_names_has_been_sent(log):
    """And speaks of the instant at which it was asked, not of the one at which it is told."""
    pulse = Pulse(log.look, every_s=0)
    log.position = 5
    assert pulse.beat(3) is None
    log.position = 9
    assert pulse.beat(4) is None

    assert Heartbeat(5, AT.replace(second=1)) == pulse.beat(6)
    assert pulse.beat(6) is None
    assert Heartbeat(9, AT.replace(second=2)) == pulse.beat(9)


def test_there_is_one_now_and_then(log):
    pulse = Pulse(log.look, every_s=1000)
    assert pulse.beat(5) is not None
    assert [None] * 3 == [pulse.beat(5) for _ in range(3)]
    assert 2 == next(log.looks)
