"""The service's roles as processes of a benchmark, and requests for them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_S = 30.0


def environment_of(data_dir: Path, database_url: str, port: int) -> dict[str, str]:
    """Return the environment of a role in development mode."""
    return {
        **os.environ,
        "PERMIT_LEDGER_DATA_DIR": str(data_dir),
        "PERMIT_LEDGER_DEVELOPMENT": "true",
        "PERMIT_LEDGER_DATABASE_URL": database_url,
        "PERMIT_LEDGER_PORT": str(port),
    }


def start(name: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``permit-ledger NAME``; the caller ends it."""
    return _started([sys.executable, "-m", "permit_ledger", name], environment)


@contextmanager
def role(name: str, environment: Mapping[str, str], probe: str) -> Iterator[None]:
    """Run ``permit-ledger NAME``, ready once the address ``probe`` answers."""
    with process([sys.executable, "-m", "permit_ledger", name], environment, probe):
        yield


@contextmanager
def process(command: list[str], environment: Mapping[str, str], probe: str) -> Iterator[None]:
    """Run any server, ready once the address ``probe`` answers."""
    server = _started(command, environment)
    try:
        _until(lambda: _answers(probe))
        yield
    finally:
        server.terminate()
        server.wait(START_S)


def request(method: str, path: str, token: str = "", body: str = "") -> str:
    """Return the text of a request over HTTP/1.1."""
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        head.append(f"Authorization: Bearer {token}")
    if body:
        head += ["Content-Type: application/json", f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*head, "", body])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _started(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own modules
        command, env=dict(environment), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def until_answers(url: str) -> None:
    """Wait until the address answers with success."""

    def answers() -> bool:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  on this machine
        except OSError:
            return False
        return True

    _until(answers)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("a service does not start")
        time.sleep(0.05)  # poll interval, with a bound


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  on this machine
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
