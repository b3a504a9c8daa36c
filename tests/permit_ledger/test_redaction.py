"""The allow-list of log lines: known values pass, all else is withheld."""

import json
import sys
from datetime import date

import pytest
import structlog

from domain import citizen_id
from permit_ledger.logging.logs import _processors
from permit_ledger.logging.redaction import FIELDS, TEXT_LENGTH_MAX, redact, scrub
from permit_ledger.settings import Settings

NAME, NUMBER = "欧阳测试", "990000199001010017"
W = "[withheld]"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJvZmZpY2VyLTcifQ.c2lnbmF0dXJl"
HEX_KEY = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
BASE64_KEY = "3q2-7wAAa1_BcD9efGhIjKlMnOpQrStUvWxYz012345"
UUID_WITH_MANY_DIGITS = "01234567890142348567890123456789"[:-1] + "a"


def redacted(**given):
    return redact(None, "info", given)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("event", "issuer's keys not refreshed"),
        ("error", "UniqueViolation"),
        ("error", "psycopg.errors.UniqueViolation"),
        ("reason", "version 3 of 0M3K9Z7QW1XA can't be read: identity.name"),
        ("reason", "The log ends at position 2026 and was read up to 112233 before."),
        ("reason", "no_eligible_officer_in_this_station_is_on_duty_today"),
        ("method", "GET"),
        ("route", "/v1/permits/{permit_number}"),
        ("route", "unknown"),
        ("status", 200),
        ("ms", 12.34),
        ("position", 1_234_567),
        ("correlation_id", "counter-7:2026.11_23-a"),
        ("correlation_id", "4f1c9d0b8e7a4c6d9b2e1f0a3c5d7e9f"),
        ("correlation_id", UUID_WITH_MANY_DIGITS),
        ("correlation_id", None),
        ("caller", "officer-7@wuxi.example"),
        ("caller", "4f1c9d0b8e7a4c6d9b2e1f0a3c5d7e9f"),
        ("caller", UUID_WITH_MANY_DIGITS),
        ("caller", None),
        ("role", "project"),
        ("partitions", 12),
        ("tree", "manifests"),
        ("witness", "witness.example/w1"),
        ("age_s", 3600),
        ("ahead_s", 12),
        ("exit_code", -9),
        ("logger", "uvicorn.error"),
        ("place", "psycopg_pool/pool.py:12 in _connect"),
        ("place", "<frozen importlib._bootstrap>:241 in <module>"),
        ("errors", ["psycopg.OperationalError"]),
        ("category", "DeprecationWarning"),
        ("thread", "Thread-1 (wait_for_end)"),
        ("progress", "12,000 of 50,000 permits"),
    ],
)
def test_what_the_code_says_passes(key, value):
    """Unchanged: a log without the values that are needed would be turned off."""
    assert {key: value} == redacted(**{key: value})


def test_every_key_has_a_value_that_passes():
    """Of each kind the test above names one."""
    (mark,) = test_what_the_code_says_passes.pytestmark
    assert set(FIELDS) == {key for key, _ in mark.args[1]}


@pytest.mark.parametrize("key", sorted(FIELDS))
@pytest.mark.parametrize(
    "value",
    [NAME, NUMBER, int(NUMBER), f"of {NAME}", [NUMBER], {"n": NUMBER}, NAME.encode(), TOKEN],
    ids=["name", "number", "integer", "within", "list", "mapping", "bytes", "token"],
)
def test_no_key_lets_a_person_or_a_token_pass(key, value):
    """Whatever its kind."""
    line = str(redacted(**{key: value}))
    assert W in line
    assert not any(part in line for part in (NAME, NUMBER, TOKEN))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "200"),
        ("status", True),
        ("status", 1000),
        ("ms", float("nan")),
        ("ms", -1),
        ("position", "1234567"),
        ("ms", 990000199001010017.0),
        ("error", "Ouyang Secret"),
        ("method", "get"),
        ("route", "/v1/permits/a b"),
        ("role", "somebody else"),
        ("caller", "Ouyang Secret"),
        ("caller", "a" * 65),
        ("caller", "9900001990-0101-0017"),
        ("caller", "two\nlines"),
        ("correlation_id", "990000.1990.0101.0017"),
        ("correlation_id", "two words"),
        ("event", "two\nlines"),
        ("errors", "KeyError"),
    ],
)
def test_a_value_of_another_kind_is_withheld(key, value):
    """Even without personal data: the list is of kinds."""
    assert {key: W} == redacted(**{key: value})


def test_a_text_that_is_not_quite_one_is_withheld():
    """A subclass may have one value when it is checked and another when it is written."""

    class Changing(str):
        __slots__ = ()

    assert {"error": W, "reason": W} == redacted(error=Changing("KeyError"), reason=Changing("x"))


def test_an_unknown_key_is_logged_without_its_value():
    """Not even the key, if it is not an identifier."""
    assert {"event": "hello", "name": W, "withheld_keys": 3} == redacted(
        event="hello", name="x", **{NAME: 1, NUMBER: 2, "Ouyang Secret": 3}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a {NUMBER} b", f"a {W} b"),
        ("a 99000019900101011x b", f"a {W} b"),
        ("a 990000 19900101 0017 b", f"a {W} b"),
        ("a 990000-1990.01.01-001_7 b", f"a {W} b"),
        (f"({citizen_id.compose('320211', date(1990, 1, 1), 1)})", f"({W})"),
        (f"token {TOKEN}, and", f"token {W}, and"),
        (f"Authorization: Bearer {TOKEN}", f"Authorization: Bearer {W}"),
        ("Bearer abcdefghijklmnop", f"Bearer {W}"),
        (f"key {HEX_KEY}", f"key {W}"),
        (f"key {BASE64_KEY}", f"key {W}"),
        ("key q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=", f"key {W}"),
        ("postgresql://ledger:geheim@db/permits", f"postgresql://ledger:{W}@db/permits"),
        ("host=db password='ge heim' user=x", f"host=db password={W} user=x"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_a_sentence(text, expected):
    """The rest of it stays."""
    assert expected == scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "the database server in data/postgresql is not running",
        "SELECT 1; 2026-11-23T02:00:00Z",
        "postgresql://ledger@db:5432/permits",
        "tests/permit_ledger/test_importing_refusals.py",
        "ThisIsTheNameOfAVeryLongExceptionClass",
    ],
)
def test_what_looks_like_none_stays(text):
    """Words, however long, and dates."""
    assert text == scrub(text)


def test_a_long_sentence_is_cut():
    """A log line has a bound."""
    assert {"reason": "no " * 166 + "no..."} == redacted(reason="no " * TEXT_LENGTH_MAX)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_both_formats_tell_and_withhold_the_same(log_format, capsys):
    """Level and time are the log's own, whatever a caller calls so."""
    chain = _processors(Settings(log_format=log_format))
    log = structlog.wrap_logger(structlog.PrintLogger(sys.stdout), processors=chain)

    log.warning("role ended", role="api", name=NAME, level=NAME, timestamp=NUMBER)

    line = capsys.readouterr().out
    assert not any(part in line for part in (NAME, NUMBER, json.dumps(NAME)[1:-1]))
    if log_format == "json":
        said = json.loads(line)
        assert ("role ended", "api", W) == (said["event"], said["role"], said["name"])
        assert "warning" == said["level"]
        assert said["timestamp"].endswith("Z")
    else:
        assert f"[warning  ] role ended                     name={W} role=api" in line
