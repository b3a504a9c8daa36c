"""Where other people's programs are; ``./dev test`` puts them there."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.web.browsers import required

TOOLS = Path(__file__).parents[2] / ".test-tools"
GO_MODULE = Path(__file__).parent / "go"
LITEWITNESS = "filippo.io/torchwood/cmd/litewitness"
BUILD_TIMEOUT_S = 600


def go_program(package: str) -> str:
    """Built if it isn't yet, or is no longer what its source says; the Go tool chain knows."""
    go = Path(sys.executable).parent / "go"
    required(go.is_file(), "Go")
    target = TOOLS / "bin" / package.rsplit("/", 1)[-1]
    built = subprocess.run(
        [str(go), "-C", str(GO_MODULE), "build", "-o", str(target), package],
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
    )
    required(built.returncode == 0, f"{package} ({built.stderr.strip()[-300:]})")
    return str(target)


def node() -> str:
    found: str = required(shutil.which("node"), "Node.js")
    return found


def sigstore() -> Path:
    """The part of @sigstore/verify that is for logs."""
    found = TOOLS / "node_modules" / "@sigstore" / "verify" / "dist" / "tlog" / "index.js"
    required(found.is_file(), "@sigstore/verify")
    return found
