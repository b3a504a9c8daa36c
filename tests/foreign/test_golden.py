"""The golden vectors are what Go's sumdb and torchwood say, then and now.

``python -m tests.foreign.test_golden`` makes them again.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.foreign.tools import go_program

FILE = Path(__file__).parents[1] / "transparency" / "golden" / "go.json"
COSIGNATURE = re.compile(r"(— witness\.example/(?:golden|quantum)) [A-Za-z0-9+/=]+")
"""It has the time in it at which it was made."""


def made_anew() -> str:
    program = go_program("./foreign")
    run = subprocess.run([program, "golden"], check=True, capture_output=True, text=True)
    return run.stdout


def test_the_vectors_equal_those_that_go_makes() -> None:
    """Except for the cosignatures, which contain a time."""
    assert _timeless(FILE.read_text("utf-8")) == _timeless(made_anew())


def _timeless(text: str) -> Any:
    return json.loads(COSIGNATURE.sub(r"\1 …", text))


if __name__ == "__main__":
    FILE.write_text(made_anew(), encoding="utf-8")
