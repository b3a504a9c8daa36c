"""RFC 3339 instants: what other systems send is read, what may mean another instant is not."""

from datetime import UTC, datetime

import pytest

from domain.instants import NotAnInstant, instant_of

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T12:00:00Z", NOON),
        ("2026-12-01t12:00:00z", NOON),
        ("2026-12-01T20:00:00+08:00", NOON),
        ("2026-12-01T12:00:00-00:00", NOON),
        ("2026-12-01T02:30:00-09:30", NOON),
        ("2026-12-01T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        ("2026-12-01T12:00:00.123456Z", NOON.replace(microsecond=123_456)),
        ("2026-12-01T12:00:00.1234567Z", NOON.replace(microsecond=123_456)),
        ("2026-12-01T12:00:00.123456789Z", NOON.replace(microsecond=123_456)),
        (f"2026-12-01T12:00:00.{'9' * 30}Z", NOON.replace(microsecond=999_999)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2017-01-01T07:59:60.5+08:00", datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read(text, expected):
    """Any offset, any number of digits; more than microseconds are cut, never rounded up."""
    assert expected == instant_of(text)


def test_the_offset_is_kept():
    """An answer that repeats an instant has the caller's offset."""
    assert "2099-01-01T00:00:00+08:00" == instant_of("2099-01-01T00:00:00+08:00").isoformat()


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-12-01", "1767600000", "2026-12-01T12:00:00", "2026-12-01T12:00Z"),
        *("2026-12-01 12:00:00Z", "20261201T120000Z", "2026-W49-2T12:00:00Z", "2026-335T12:00:00Z"),
        *("2026-12-01T12:00:00.Z", "2026-12-01T12:00:00,5Z", f"2026-12-01T12:00:00.{'1' * 31}Z"),
        *("2026-12-01T24:00:00Z", "2026-12-01T12:60:00Z", "2026-12-01T12:00:61Z"),
        *("2026-02-30T12:00:00Z", "2026-13-01T12:00:00Z", "0000-01-01T00:00:00Z"),
        *("2026-12-01T12:00:00+0800", "2026-12-01T12:00:00+24:00", "2026-12-01T12:00:00 08:00"),
        *("2026-12-01T12:00:60Z", "2026-12-31T23:59:60+08:00", "9999-12-31T23:59:60Z"),
        *("２０２６-12-01T12:00:00Z", " 2026-12-01T12:00:00Z", "2026-12-01T12:00:00Z\n"),
    ],
)
def test_anything_else_is_refused(text):
    """No offset, another form of ISO 8601, no such day or time, a leap second at noon."""
    with pytest.raises(NotAnInstant, match="an instant is expected"):
        instant_of(text)
