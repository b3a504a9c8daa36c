"""Installs what ``./dev bench peers`` measures beside ours, once, into ``.test-tools/peers``.

Versions and digests are pinned in ``bench/peer_programs``: a lock file for npm, ``go.sum`` for Go,
a digest for the Python wheel. A peer that cannot be had on a machine is :class:`Missing`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROGRAMS = Path(__file__).parent / "peer_programs"
TOOLS = Path(__file__).parents[1] / ".test-tools" / "peers"
INSTALL_S = 900


class Missing(Exception):
    """The peer cannot be had here; the message says why."""


def python_packages() -> Path:
    """The folder of the Python packages."""
    target = TOOLS / "python"
    if not (target / "umadb").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        wanted = [
            "--require-hashes",
            "--no-deps",
            "--requirement",
            str(PROGRAMS / "requirements.txt"),
        ]
        _run([*pip, "--target", str(target), *wanted])
    return target


def npm_packages() -> Path:
    """The folder that has the ``node_modules``."""
    if not (TOOLS / "node_modules" / ".package-lock.json").is_file():
        TOOLS.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PROGRAMS / name, TOOLS)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run([_found("npm"), "ci", *options, "--prefix", TOOLS])
    return TOOLS


def node() -> str:
    """
    Raises:
        Missing
    """
    return _found("node")


def tessera() -> Path:
    """The Go program, built with the Go tool chain in ``.venv``."""
    go, target = Path(sys.executable).parent / "go", TOOLS / "tessera"
    if not go.is_file():
        raise Missing("the Go tool chain is not installed")
    _run([go, "-C", PROGRAMS, "build", "-o", target, "."])
    return target


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _found(program: str) -> str:
    found = shutil.which(program)
    if not found:
        raise Missing(f"{program} is not installed")
    return found


def _run(command: Sequence[str | Path]) -> None:
    """
    Raises:
        Missing: it failed; with the end of its output.
    """
    try:
        done = subprocess.run(  # noqa: S603  own commands
            command, check=False, capture_output=True, text=True, timeout=INSTALL_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from error
    if done.returncode:
        raise Missing(f"{command[0]}: {done.stderr.strip()[-200:]}")
