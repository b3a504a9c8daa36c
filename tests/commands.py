"""``permit-ledger`` as an operator runs it, in a process of its own."""

import subprocess
import sys
from pathlib import Path

WAIT_S = 300


def permit_ledger(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """In this working folder, with these settings and nothing else of ours in the environment."""
    return subprocess.run(
        [sys.executable, "-m", "permit_ledger", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        cwd=folder,
        env={"PYTHONPATH": "", "COLUMNS": "120", **environment},
    )
