"""Claims: roots that somebody keeps of a tree, to be found again in what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from transparency.notes import NOTE_BYTES_MAX, BadNote, Note, NoteVerifier, TreeHead


class Claim(NamedTuple):
    """``is_signed``: by a key that is known, so whoever could write to the database could not make
    it up. ``source`` says who keeps it."""

    size: int
    root: bytes
    source: str
    is_signed: bool


def claim_of(
    content: bytes, source: str, origin: str, keys: list[NoteVerifier]
) -> tuple[Claim, str | None]:
    """From a checkpoint in a file, and what is wrong with its signatures.

    Raises:
        BadNote: it is no checkpoint of this log.
    """
    note = Note.of(content)
    head = TreeHead.of(note.text)
    if head.origin != origin:
        raise BadNote(f"it is of the log {head.origin}, not of {origin}")
    problem = signature_problem(note, keys)
    return Claim(head.size, head.root, source, problem is None), problem


def signature_problem(note: Note, keys: list[NoteVerifier]) -> str | None:
    """``keys`` are those of this log."""
    try:
        note.verified(keys)
    except BadNote as error:
        return str(error)
    return None


class Shown(NamedTuple):
    """What a file claims, of which tree, and what is wrong with it."""

    claim: Claim | None = None
    problem: str | None = None
    tree: str | None = None


def remembered(folder: Path, tree: str, origin: str, keys: list[NoteVerifier]) -> Shown:
    """What the integrator keeps outside the database; nothing where it keeps it elsewhere.

    Raises:
        OSError
    """
    file = folder / f"{tree}.checkpoint"
    if not file.exists():
        return Shown()
    return shown(file, {origin: tree}, keys)


def shown(file: Path, trees: dict[str, str], keys: list[NoteVerifier]) -> Shown:
    """A checkpoint that somebody has kept; ``trees`` are the logs that it may be of, by origin.

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
