"""A verification's findings, by position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

SHOWN_MAX = 20
"""Positions that are named; the others are counted."""


class Finding(NamedTuple):
    """``position`` is where the log of ``tree`` differs, ``None`` where that is unknown."""

    tree: str
    position: int | None
    what: str

    def __str__(self) -> str:
        place = "" if self.position is None else f" {self.position}"
        return f"{self.tree}{place}: {self.what}"


@dataclass(slots=True)
class Verified:
    """The result for one tree, of ``size`` leaves, over a log of ``head`` rows. ``claims`` is the
    number of roots that it was compared with, ``skipped`` that of manifests that were not
    recomputed."""

    tree: str
    size: int = 0
    head: int = 0
    claims: int = 0
    skipped: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, position: int | None, what: str) -> None:
        self.findings.append(Finding(self.tree, position, what))

    @property
    def pending(self) -> int:
        """How many rows are not signed yet."""
        return max(self.head - self.size, 0)


def in_order(found: Iterable[Verified]) -> list[Finding]:
    """Each tree's findings by position, those without one last."""
    return [
        finding
        for each in found
        for finding in sorted(
            each.findings, key=lambda one: (one.position is None, one.position or 0)
        )
    ]
