"""A whole process's logs, provoked in every way to name a person."""

import json
import os
import subprocess
import sys

import pytest

from tests.permit_ledger.logs_provoked import NAME, NUMBER

TIMEOUT_S = 180
EVENTS = [
    ("warning", "unknown key"),
    ("warning", "known key"),
    ("warning", "[withheld]"),
    ("error", "caught"),
    ("warning", "values of a strange kind"),
    ("critical", "uncaught in a thread"),
    ("warning", "warned"),
    ("error", "Invalid request of %s: %s"),
    ("error", "[withheld]"),
    ("critical", "three arguments %s %s %s"),
    ("error", "uncaught in a finalizer"),
    ("error", "Task exception was never retrieved"),
    ("critical", "uncaught"),
]


def run(*arguments, **environment):
    """A process of Python's; gives its exit code and what it wrote, as bytes."""
    ended = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        timeout=TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
    )
    return ended.returncode, ended.stdout + ended.stderr


def personal_data_in(output):
    """In UTF-8, as JSON escapes it, or as Python's repr of bytes would."""
    spellings = [
        NAME.encode(),
        json.dumps(NAME)[1:-1].encode(),
        json.dumps(NAME)[1:-1].upper().encode(),
        ascii(NAME.encode())[2:-1].encode(),
        NUMBER.encode(),
        b"Secret",
    ]
    return [spelling for spelling in spellings if spelling in output]


@pytest.fixture(scope="module", params=["json", "console"])
def provoked(request):
    """The format, the exit code and the output."""
    return request.param, *run("-m", "tests.permit_ledger.logs_provoked", request.param)


def test_no_output_has_personal_data(provoked):
    """Of every logger."""
    _, code, output = provoked

    assert (1, []) == (code, personal_data_in(output))
    assert [] == [word for word in (b"DETAIL", b"Traceback", b"Logging error") if word in output]


def test_no_record_is_lost(provoked):
    """Each has its line, its level and, if it was not caught, its type."""
    log_format, _, output = provoked
    text = output.decode()

    if log_format == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert EVENTS == [(line["level"], line["event"]) for line in lines]
        assert ["KeyError"] == lines[7]["errors"]
        assert 5 == sum("exception" in line for line in lines)
    else:
        heads = [line for line in text.splitlines() if line.startswith("20")]
        assert len(EVENTS) == len(heads)
        for head, (level, event) in zip(heads, EVENTS, strict=True):
            assert f"[{level:9}] {event}" in head
    assert 3 == text.count("psycopg.errors.UniqueViolation (23505)")
    assert "logs_provoked.py:" in text


CRASHES = """
import sys
from permit_ledger.cli import app as cli
from permit_ledger.csv_import import command as importing
from permit_ledger.roles import project as projecting

def crash(*_):
    raise LookupError("欧阳测试 990000199001010017")

importing.template = projecting.project = crash
cli.app(sys.argv[1:], prog_name="permit-ledger")
"""


def test_a_command_that_crashes_prints_no_values():
    """The places, the type and what to do; exit code 1."""
    code, output = run("-c", CRASHES, "import", "--template")

    *places, kind, sentence = output.decode().splitlines()
    assert (1, []) == (code, personal_data_in(output))
    assert any(place.startswith("  permit_ledger/cli/app.py:") for place in places)
    assert "LookupError" == kind
    assert sentence.startswith("permit-ledger: unexpected LookupError: try again")


def test_a_role_that_crashes_says_so_in_its_log():
    """In one line of the format that is set; exit code 1."""
    code, output = run("-c", CRASHES, "project", PERMIT_LEDGER_LOG_FORMAT="json")

    (line,) = [json.loads(line) for line in output.splitlines()]
    assert (1, []) == (code, personal_data_in(output))
    assert ("critical", "role failed", "project", "LookupError") == (
        *(line["level"], line["event"]),
        *(line["role"], line["error"]),
    )
    assert line["exception"].endswith("LookupError")


def test_a_sentence_for_an_operator_holds_no_number(tmp_path):
    """Expected failures are explained in words; what looks like a number is taken out of them."""
    url = f"postgresql://nobody@/nothing?host={tmp_path}/[b]{NUMBER}"

    code, output = run("-m", "permit_ledger", "migrate", "--database-url", url)

    assert (1, []) == (code, personal_data_in(output))
    assert b"permit-ledger:" in output
    assert b"/[b][withheld]/" in output
