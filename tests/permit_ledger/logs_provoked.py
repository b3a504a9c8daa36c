"""A process that sets its logs up and then provokes them, in every way, to name a person."""

import asyncio
import gc
import logging
import os
import sys
import threading
import warnings

import psycopg
import structlog
from psycopg.errors import UniqueViolation

from permit_ledger.logging import logs
from permit_ledger.settings import Settings

NAME, NUMBER = "欧阳测试", "990000199001010017"
PERSON = f"{NAME} {NUMBER}"


class Unwritable:
    """Fails when anybody wants it as a text."""

    def __repr__(self):
        raise ValueError(PERSON)


class Last:
    """Fails when it is forgotten."""

    def __del__(self):
        raise ValueError(PERSON)


def fail():
    """A cause within a cause, each with a message that names a person."""
    person = PERSON
    try:
        try:
            raise UniqueViolation(f"DETAIL: Key (n)=({person}) already exists.")
        except psycopg.Error as error:
            raise KeyError(person) from error
    except KeyError:
        raise RuntimeError(f"no record of {person}")  # noqa: B904  the context is to be logged


def provoke():
    """In this order: one line of the log each."""
    log = structlog.get_logger("test")
    log.warning("unknown key", name=PERSON, **{PERSON: 1})
    log.warning("known key", error=PERSON, reason=f"what of {PERSON}", caller=NUMBER, role=NAME)
    log.warning(f"composed for {PERSON}")
    try:
        fail()
    except RuntimeError:
        log.exception("caught")
    log.warning(
        "values of a strange kind", status=Unwritable(), reason=Unwritable(), ms=int(NUMBER)
    )
    thread = threading.Thread(target=fail, name=f"thread of {NAME}")
    thread.start()
    thread.join()
    warnings.warn(f"a warning about {PERSON}", UserWarning, stacklevel=1)
    server = logging.getLogger("uvicorn.error")
    server.error("Invalid request of %s: %s", PERSON, KeyError(PERSON), extra={"person": PERSON})
    server.error(f"composed for {PERSON}")
    server.critical("three arguments %s %s %s", Unwritable())
    Last()
    gc.collect()
    asyncio.run(unhandled())
    fail()


async def unhandled():
    """A task whose failure is never awaited."""

    async def named(person):
        raise ValueError(person)

    task = asyncio.ensure_future(named(PERSON), loop=asyncio.get_running_loop())
    await asyncio.wait([task])
    del task
    gc.collect()


if __name__ == "__main__":
    logs.configure(Settings(log_format=sys.argv[1]))
    os.environ["PERSON"] = PERSON
    provoke()
