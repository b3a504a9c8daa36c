"""Claims: roots of a tree that are kept elsewhere, to be compared with the stored rows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from transparency.notes import NOTE_BYTES_MAX, BadNote, Note, NoteVerifier, TreeHead


class Claim(NamedTuple):
    """``is_signed``: signed by a known key, so a writer of the database cannot have forged it.
    ``source`` is where it is kept."""

    size: int
    root: bytes
    source: str
    is_signed: bool


def claim_of(
    content: bytes, source: str, origin: str, keys: list[NoteVerifier]
) -> tuple[Claim, str | None]:
    """Return the claim in a checkpoint file, and what is wrong with its signatures.

    Raises:
        BadNote: not a checkpoint of this log.
    """
    note = Note.of(content)
    head = TreeHead.of(note.text)
    if head.origin != origin:
        raise BadNote(f"it is of the log {head.origin}, not of {origin}")
    problem = signature_problem(note, keys)
    return Claim(head.size, head.root, source, problem is None), problem


def signature_problem(note: Note, keys: list[NoteVerifier]) -> str | None:
    """Return what is wrong with a note's signatures; ``keys`` are this log's."""
    try:
        note.verified(keys)
    except BadNote as error:
        return str(error)
    return None


class Shown(NamedTuple):
    """A file's claim, its tree, and what is wrong with it."""

    claim: Claim | None = None
    problem: str | None = None
    tree: str | None = None


def remembered(folder: Path, tree: str, origin: str, keys: list[NoteVerifier]) -> Shown:
    """Read the integrator's last signed checkpoint; return nothing if it is on another machine.

    Raises:
        OSError
    """
    file = folder / f"{tree}.checkpoint"
    if not file.exists():
        return Shown()
    return shown(file, {origin: tree}, keys)


def shown(file: Path, trees: dict[str, str], keys: list[NoteVerifier]) -> Shown:
    """Read a checkpoint that a user has kept; ``trees`` are the possible logs, by origin.

    Raises:
        OSError
    """
    with file.open("rb") as opened:
        content = opened.read(NOTE_BYTES_MAX + 1)
    try:
        origin = TreeHead.of(Note.of(content).text).origin
        tree = trees.get(origin)
        if tree is None:
            raise BadNote(f"it is of the log {origin}, not of {' or '.join(trees)}")
        own = [key for key in keys if key.name == origin]
        claim, problem = claim_of(content, str(file), origin, own)
    except BadNote as error:
        return Shown(problem=f"{file}: {error}")
    return Shown(claim, f"{file}: {problem}" if problem else None, tree)
