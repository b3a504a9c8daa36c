"""Records of the standard library's loggers: written in our lines, without their arguments."""

import io
import json
import logging

import pytest
import structlog

from permit_ledger.logging.logs import _processors
from permit_ledger.logging.records import RecordHandler
from permit_ledger.settings import Settings

NAME, NUMBER = "欧阳测试", "990000199001010017"
W = "[withheld]"
HERE = "tests/permit_ledger/test_records.py"
TEMPLATE_OF_THE_MODULE = "a template of the module"


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def logger(stream):
    """A library's logger with our handler."""
    logger = logging.Logger("library.part", logging.DEBUG)
    logger.addHandler(RecordHandler(stream, _processors(Settings())))
    return logger


@pytest.fixture
def lines(stream):
    """``lines()``: what was written, each without its time and its line number."""

    def lines():
        found = [json.loads(line) for line in stream.getvalue().splitlines()]
        for line in found:
            assert line.pop("timestamp")
            before, _, after = line["place"].partition(":")
            line["place"] = f"{before} {after.partition(' in ')[2]}"
        return found

    return lines


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_a_template_is_logged_without_its_arguments(logger, lines, level):
    """With the record's own level, its logger, its place."""
    getattr(logger, level)("gave %s to %s", NUMBER, NAME)

    expected = {
        "event": "gave %s to %s",
        "level": level,
        "logger": "library.part",
        "place": f"{HERE} test_a_template_is_logged_without_its_arguments",
    }
    assert [expected] == lines()


def test_a_template_in_a_local_variable_is_logged(logger, lines):
    """As servers do that log it in two forms."""
    message = "Started server process [%d]"
    logger.info(message, 7)

    assert ["Started server process [%d]"] == [line["event"] for line in lines()]


@pytest.mark.parametrize(
    "message",
    [
        f"composed of {NAME}",
        "composed of {}".format("Ouyang Secret"),
        "".join(["Ouyang", " ", "Secret"]),
        TEMPLATE_OF_THE_MODULE,
        ValueError("Ouyang Secret"),
        {"name": "Ouyang Secret"},
    ],
)
def test_a_message_that_does_not_stand_in_the_code_that_logs_it_is_withheld(logger, lines, message):
    """The line is written in any case, with the place."""
    logger.error(message)

    (line,) = lines()
    assert (W, "error", "library.part") == (line["event"], line["level"], line["logger"])
    assert line["place"].startswith(HERE)


def test_a_record_from_nowhere_is_withheld(logger, lines):
    """No code on the stack has this constant: a record that was sent or made."""
    record = {"name": "x", "msg": "of Ouyang Secret", "levelno": 40, "pathname": NAME}
    logger.handle(logging.makeLogRecord({**record, "lineno": 1, "funcName": "f"}))

    assert [(W, f"{W} ")] == [(line["event"], line["place"]) for line in lines()]


def test_exceptions_are_logged_by_their_types(logger, lines):
    """That which is being handled, and those among the arguments."""
    try:
        raise KeyError(NAME)
    except KeyError:
        logger.exception("failed with %s of %s", OSError(NAME), NUMBER)

    (line,) = lines()
    assert ["OSError"] == line["errors"]
    assert line["exception"].endswith("\nKeyError")


@pytest.mark.parametrize("arguments", [("one",), ({"a": NAME},), (NAME, object(), NUMBER, 4)])
def test_arguments_that_do_not_fit_lose_no_record(logger, lines, arguments, capfd):
    """They are not formatted, and Python does not print them on its own."""
    logger.error("two: %s %d", *arguments)

    assert ["two: %s %d"] == [line["event"] for line in lines()]
    assert ("", "") == tuple(capfd.readouterr())


def test_other_attributes_of_a_record_are_not_logged(logger, lines):
    """Extra attributes and the stack's own text."""
    logger.error("with extras", extra={"person": NAME, "stack": NUMBER}, stack_info=True)

    assert {"event", "level", "logger", "place"} == set(lines()[0])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"Exception in callback give({NAME!r})", "Exception in callback"),
        (f"Task was destroyed but it is pending!\n{NAME}", "Task was destroyed but it is pending!"),
        (f"something new about {NAME}", W),
    ],
)
def test_asyncios_composed_messages_are_logged_by_their_beginning(logger, lines, message, expected):
    """They are the only trace of a task that was never awaited."""
    logger.name = "asyncio"
    logger.error(message)

    assert [expected] == [line["event"] for line in lines()]


def test_a_record_that_cannot_be_written_says_so(logger, stream, monkeypatch, capfd):
    """In our format; Python's own would contain the arguments."""
    monkeypatch.setattr(stream, "write", lambda _: 1 / 0)

    with structlog.testing.capture_logs() as logs:
        logger.error("gave %s", NAME)

    assert ["a record could not be written"] == [line["event"] for line in logs]
    assert ("", "") == tuple(capfd.readouterr())
