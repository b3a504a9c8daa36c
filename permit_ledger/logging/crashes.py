"""Uncaught exceptions: logged by type and place, wherever they were raised."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import structlog
import typer
from typer.core import TyperGroup

from permit_ledger.console.failures import sentence_of
from permit_ledger.console.output import careful_output

from .redaction import scrub
from .tracebacks import describe, name_of, place_of

_log = structlog.get_logger(__name__)


def install() -> None:
    """Log uncaught exceptions of this process: main thread, other threads, finalizers, warnings.

    Unhandled exceptions of asyncio go to its own logger (:mod:`permit_ledger.logging.records`).
    """
    # A hook that fails makes the interpreter print what was raised, message and all.
    sys.excepthook = _in_main_thread
    threading.excepthook = _in_thread
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warning


def _in_main_thread(_kind: object, error: BaseException, _traceback: object) -> None:
    with suppress(Exception):
        _log.critical("uncaught", error=name_of(type(error)), exc_info=error)


def _in_thread(arguments: threading.ExceptHookArgs) -> None:
    if issubclass(arguments.exc_type, SystemExit):
        return  # ends a thread, by Python's convention
    name = arguments.thread.name if arguments.thread else None
    with suppress(Exception):
        kind = name_of(arguments.exc_type)
        _log.critical("uncaught in a thread", thread=name, error=kind, exc_info=arguments.exc_value)


def _unraisable(arguments: sys.UnraisableHookArgs) -> None:
    """The finalised object is not logged: it may be anything."""
    with suppress(Exception):
        kind = name_of(arguments.exc_type)
        _log.error("uncaught in a finalizer", error=kind, exc_info=arguments.exc_value)


def _warning(
    message: Warning | str,  # noqa: ARG001  it may quote anything
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    _log.warning("warned", category=name_of(category), place=place_of(filename, lineno))


@contextmanager
def as_role(name: str) -> Iterator[None]:
    """Run a supervised process: a failure that ends it is a line of its log. Exit code 1."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it is the last line of the log
        _log.critical("role failed", role=name, error=name_of(type(error)), exc_info=error)
        raise typer.Exit(1) from None


class CarefulGroup(TyperGroup):
    """Run a command: an unexpected failure is a sentence without values. Exit code 1."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            with careful_output():
                return super().main(*arguments, **options)
        except OSError as error:  # mostly of printing, say to a full disk
            sys.stderr.write(f"permit-ledger: {scrub(sentence_of(error) or '')}\n")
            sys.exit(1)
        except Exception as error:  # noqa: BLE001  the interpreter would print its message
            sys.stderr.write(
                f"{describe(error)}\npermit-ledger: unexpected {name_of(type(error))}: try again;"
                " if it comes again, report these lines, which hold no personal data\n"
            )
            sys.exit(1)
