"""Tracebacks with types and places, and no data."""

import asyncio
import itertools

import psycopg
import pytest
from psycopg.errors import UniqueViolation
from pydantic import TypeAdapter, ValidationError

from domain.errors import NotEligible
from permit_ledger.logging.tracebacks import (
    ERRORS_MAX,
    FRAMES_MAX,
    describe,
    place_of,
    tell_exception,
)

NAME, NUMBER = "欧阳测试", "990000199001010017"
HERE = "tests/permit_ledger/test_tracebacks.py"


def caught(raising):
    """What ``raising()`` raises."""
    try:
        raising()
    except BaseException as error:  # noqa: BLE001  also groups and exits
        return error
    raise AssertionError("nothing was raised")


def shape(error):
    """Its lines, those of places by their function alone."""
    return [line.rpartition(" in ")[2] for line in describe(error).splitlines()]


def test_a_traceback_says_type_file_line_and_function():
    """And nothing of the message."""

    def inner():
        raise ValueError(f"{NAME} {NUMBER}")

    line = inner.__code__.co_firstlineno + 1
    said = describe(caught(inner)).splitlines()

    assert [f"  {HERE}:{line} in inner", "ValueError"] == said[1:]
    assert said[0].startswith(f"  {HERE}:")
    assert said[0].endswith(" in caught")


def test_causes_come_first():
    """Both the one that was named and the one that was being handled."""

    def inner():
        try:
            try:
                raise KeyError(NAME)
            except KeyError as error:
                raise NotEligible([NAME]) from error
        except NotEligible:
            raise RuntimeError(NAME)  # noqa: B904

    expected = [
        *("inner", "KeyError", "which was the cause of:"),
        *("inner", "domain.errors.NotEligible", "and while that was handled:"),
        *("caught", "inner", "RuntimeError"),
    ]
    assert expected == shape(caught(inner))


def test_a_suppressed_context_is_not_logged():
    """``from None``."""

    def inner():
        try:
            raise KeyError(NAME)
        except KeyError:
            raise RuntimeError(NAME) from None

    assert ["caught", "inner", "RuntimeError"] == shape(caught(inner))


def test_every_member_of_a_group_is_logged():
    """Indented, with its own causes and without the group's name."""

    async def fail(kind):
        raise kind(NAME)

    async def both():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail(KeyError))
            tasks.create_task(fail(OSError))

    said = describe(caught(lambda: asyncio.run(both())))

    assert "ExceptionGroup\n  |   tests/" in said
    assert [True, True] == [f"\n  | {kind}" in said for kind in ("KeyError", "OSError")]
    assert NAME not in said


def test_a_note_is_a_message_too():
    """Notes of an exception are not logged."""
    error = ValueError()
    error.add_note(NAME)

    assert "ValueError" == describe(error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UniqueViolation(f"Key (n)=({NUMBER})"), "psycopg.errors.UniqueViolation (23505)"),
        (FileNotFoundError(2, "No such file", NAME), "FileNotFoundError (ENOENT)"),
        (type(NAME, (Exception,), {})(), "[withheld]"),
        (type("Of" + NUMBER, (Exception,), {"__module__": "x"})(), "[withheld]"),
        (caught(lambda: TypeAdapter(int).validate_python(NAME)), "ValidationError"),
    ],
    ids=["SQLSTATE", "errno", "named type", "numbered type", "pydantic"],
)
def test_an_error_code_is_logged_with_the_type(error, expected):
    """Where the system has one; a type's name is logged if it is an identifier."""
    assert describe(error).splitlines()[-1].endswith(expected)
    assert not any(part in describe(error) for part in (NAME, NUMBER, "No such"))


def test_a_recursion_is_logged_in_few_lines():
    """The last frames are."""

    def deeper():
        deeper()

    said = describe(caught(deeper)).splitlines()

    assert ["RecursionError", FRAMES_MAX + 2] == [said[-1], len(said)]
    assert said[0].endswith(" more)")


def test_a_circle_of_causes_ends():
    """As does a chain of a thousand."""
    first, second = KeyError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    chain = [OSError() for _ in range(1000)]
    for cause, error in itertools.pairwise(chain):
        error.__cause__ = cause

    cause = "which was the cause of:"
    assert ["(more)", cause, "ValueError", cause, "KeyError"] == describe(first).splitlines()
    assert ERRORS_MAX == describe(chain[-1]).count("OSError")


def test_a_place_names_no_machines_folders():
    """Below the import path, or the file alone; a file whose name may be a person's is withheld."""
    assert f"{HERE}:1" == place_of(__file__, 1)
    assert "psycopg/errors.py:2" == place_of(psycopg.errors.__file__, 2)
    assert "script.py:3 in main" == place_of("/nowhere/at/all/script.py", 3, "main")
    assert "[withheld]" == place_of(f"/nowhere/{NAME}.py", 3)
    assert "[withheld]" == place_of("/nowhere/x.py", 3, NAME)


@pytest.mark.parametrize("form", ["exception", "triple", "true"])
def test_an_exception_is_logged_in_every_form_that_loggers_pass(form):
    """structlog's own forms, and that of the standard library."""
    try:
        raise ValidationError.from_exception_data(NAME, [])
    except ValidationError as error:
        given = {"exception": error, "triple": (type(error), error, None), "true": True}[form]
        line = tell_exception(None, "error", {"event": "x", "exc_info": given})

    assert {"event", "exception"} == set(line)
    assert line["exception"].endswith("ValidationError")


@pytest.mark.parametrize("given", [None, False, True, (None, None, None)])
def test_without_an_exception_there_is_no_traceback(given):
    """The key is removed in any case."""
    assert {"event": "x"} == tell_exception(None, "error", {"event": "x", "exc_info": given})
