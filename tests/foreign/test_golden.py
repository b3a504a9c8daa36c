"""The golden vectors are what Go's sumdb and torchwood say, then and now.

``python -m tests.foreign.test_golden`` makes them anew.
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


def test_the_vectors_are_what_go_makes() -> None:
    """All but the cosignatures, which have a time in them."""
    assert _timeless(FILE.read_text("utf-8")) == _timeless(made_anew())


def _timeless(text: str) -> Any:
    return json.loads(COSIGNATURE.sub(r"\1 …", text))


if __name__ == "__main__":
    FILE.write_text(made_anew(), encoding="utf-8")
