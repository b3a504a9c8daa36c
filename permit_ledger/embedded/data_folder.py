"""The data folder: created if missing, refused if nothing can be stored in it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from permit_ledger.console.failures import CannotStart, sentence_of

MIB = 1 << 20
_NOT_IN_NAMES = set("\\?*[")
"""Separators or patterns to programs and libraries that are given names of files in the folder."""


def open_data_folder(path: Path) -> Path:
    """Make the folder, see that files can be written there, and return its absolute name.

    Raises:
        CannotStart: nothing can be stored there; the message says why and what to do.
    """
    if any(character < " " or character == "\x7f" for character in str(path)):
        raise CannotStart(
            "the data folder's name holds a line break or another control character:"
            " choose another with --data-dir"
        )
    try:
        folder = path.resolve()
        _require_plain(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except RuntimeError:  # Python 3.11 and 3.12 raise this for circular links
        raise CannotStart(f"{path}: its symbolic links lead in a circle") from None
    except OSError as error:
        raise CannotStart(f"the data folder can't be used: {_said(path, error)}") from None
    return folder


def _require_plain(folder: Path) -> None:
    if found := sorted(_NOT_IN_NAMES & set(str(folder))):
        raise CannotStart(
            f"the name of the data folder {folder} holds {' '.join(found)}, in which statistics"
            " can't be kept: choose another with --data-dir"
        )


def require_space(folder: Path, free_bytes_min: int) -> None:
    """
    Raises:
        CannotStart: less space is free on the folder's disk.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < free_bytes_min:
        raise CannotStart(
            f"the disk of {folder} has {free_bytes // MIB} MiB left and"
            f" {free_bytes_min // MIB} MiB are needed: free some space, or choose another folder"
            " with --data-dir"
        )


def _said(path: Path, error: OSError) -> str:
    """The failure, naming the folder instead of the file that was tried in it."""
    if error.filename is None or Path(str(error.filename)).parent == path.resolve():
        error.filename = str(path)
    return sentence_of(error) or str(error)
