"""Verifies the whole log against its trees, checkpoints and manifests, in one snapshot."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.rows import tuple_row

from ledger.database.connections import Connection, translated_errors
from ledger.database.named_sql import Queries
from ledger.database.rows import rows as query_rows
from ledger.database.rows import scalar, scalars
from ledger.errors import Corrupt
from transparency.logs import LOGS
from transparency.manifests import Manifest
from transparency.merkle import WIDTH
from transparency.notes import NoteVerifier

from .claims import Claim
from .diagnosis import diagnose
from .findings import SHOWN_MAX, Verified
from .manifest_check import Stored
from .processes import Outcome, Shared, Task, done, reading_only
from .rows import Checked, Positions, Streams
from .scratch import Mark, Scratch, Where
from .signatures import ranges
from .tree_check import TreeCheck, load_leaves

RANGE_ROWS = 1 << 13
SAMPLE = 50
"""Rows sampled per range to divide the log."""
MANIFEST_ROWS_MAX = 20_000_000
"""Permits in all manifests that are recomputed, the newest first: each one takes as long as all
permits of its time. ``every_manifest`` lifts it."""
IN_PROCESS_ROWS_MAX = 50_000
"""Starting processes takes longer than so few rows."""

_sql = Queries("transparency", "sql/verifying.sql")

_COUNTS = {
    "events": _sql.count_events,
    "checks": _sql.count_checks,
    "manifests": _sql.count_manifests,
    "audit-reads": _sql.count_audit_reads,
}

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class _Tree:
    name: str
    size: int
    root: bytes
    head: int
    stored: int
    claims: list[Claim]
    found: Verified
    unsigned: dict[int, str] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The last position that may exist."""
        return max(self.size, self.head)

    @property
    def rows(self) -> int:
        """The position by which the first missing row is found, whatever size is recorded: of so
        many stored rows, not all are among the first."""
        return min(self.last, self.stored + 1)

    @property
    def leaves(self) -> int:
        """The largest size of a claim that can be recomputed."""
        return max([self.size, *(c.size for c in self.claims if c.size <= self.rows)])


class Verification:
    """``origin`` is the ledger's, ``keys`` verify its checkpoints, ``claims`` are checkpoints kept
    elsewhere, by tree."""

    def __init__(
        self,
        database_url: str,
        origin: str,
        keys: list[NoteVerifier],
        claims: Mapping[str, Sequence[Claim]],
        *,
        workers: int = 0,
        every_manifest: bool = False,
        progress: Progress = lambda _stage, _done, _of: None,
        compare: Callable[[str, Scratch, Verified], None] = lambda _tree, _scratch, _found: None,
    ) -> None:
        """``compare`` is called with the leaves of each tree at the end."""
        self._database_url = database_url
        self._origins = {name: log.origin(origin) for name, log in LOGS.items()}
        self._keys = keys
        self._claims = claims
        self._workers = workers or os.cpu_count() or 1
        self._manifest_rows_max = None if every_manifest else MANIFEST_ROWS_MAX
        self._progress = progress
        self._compare = compare

    def run(self) -> list[Verified]:
        """Verify all trees.

        Raises:
            Unavailable, psycopg.Error
            OSError: no space for the scratch files.
        """
        with (
            translated_errors(),
            tempfile.TemporaryDirectory(prefix="permit-ledger-verify-") as folder,
            reading_only(self._database_url) as connection,
            ExitStack() as stack,
        ):
            trees = self._trees(connection)
            wheres = {t.name: Where(Path(folder), t.name, t.leaves, t.rows) for t in trees.values()}
            scratch = {}
            for name, where in wheres.items():
                where.make()
                scratch[name] = stack.enter_context(Scratch(where))
                load_leaves(connection, scratch[name], trees[name].size, trees[name].found)
            self._check_rows(connection, trees, wheres)
            for name, tree in trees.items():
                self._progress("trees", 0, None)
                self._conclude(connection, tree, scratch[name])
        return [tree.found for tree in trees.values()]

    # -- before ----------------------------------------------------------------------------------

    def _trees(self, connection: Connection) -> dict[str, _Tree]:
        stored = {tree: (size, root) for tree, size, root in query_rows(connection, _sql.trees)}
        trees = {}
        for name, log in LOGS.items():
            head = next(iter(scalars(connection, log.head)), 0)
            size, root = stored.get(name, (0, b""))
            found = Verified(name, size, head)
            [(rows_stored, tiles)] = query_rows(connection, _COUNTS[name], {"tree": name})
            if size > tiles * WIDTH:
                found.add(tiles * WIDTH + 1, f"the tree is said to have {size:,} leaves")
                size = tiles * WIDTH
            if name not in stored:
                found.add(None, "the database has no row of this tree")
            if head < size:
                found.add(head + 1, f"missing: the log ends at {head:,}, its tree at {size:,}")
            claims = list(self._claims.get(name, ()))
            trees[name] = _Tree(name, size, root, head, rows_stored, claims, found)
            _compare_with_kept(connection, trees[name])
        events = trees["events"]
        events.claims += _manifests_claims(connection, trees["manifests"].found)
        furthest = max(claim.size for claim in events.claims) if events.claims else 0
        if furthest > events.last:
            events.found.add(None, f"a root of {furthest:,} entries is kept, there are not so many")
        for tree in trees.values():
            _beyond(connection, tree)
        return trees

    # -- the rows --------------------------------------------------------------------------------

    def _check_rows(
        self, connection: Connection, trees: dict[str, _Tree], wheres: dict[str, Where]
    ) -> None:
        tasks = _tasks(connection, trees, self._manifest_rows_max)
        snapshot = scalar(connection, _sql.export)
        shared = Shared(self._database_url, snapshot, wheres, self._origins, self._keys)
        of = sum(tree.stored for tree in trees.values())
        workers = 1 if of <= IN_PROCESS_ROWS_MAX else self._workers
        rows = 0
        for task, outcome in done(shared, tasks, workers):
            rows += _take(trees[task.tree], outcome)
            self._progress("rows", rows, of)

    # -- after -----------------------------------------------------------------------------------

    def _conclude(self, connection: Connection, tree: _Tree, scratch: Scratch) -> None:
        found = tree.found
        wrong = scratch.wrong(SHOWN_MAX)
        reported = {finding.position for finding in found.findings}
        unreported = [
            each for each in wrong if each[1] is not Mark.COLUMN or each[0] not in reported
        ]
        for position, what in diagnose(connection, tree.name, scratch, unreported):
            found.add(position, what)
        if (count := scratch.wrong_count()) > len(wrong):
            found.add(None, f"{count:,} positions differ; the first {len(wrong)} of them are named")
        sizes = sorted(tree.unsigned)
        for size in sizes[:SHOWN_MAX]:
            found.add(None, f"the checkpoint of {size:,} entries: {tree.unsigned[size]}")
        if len(sizes) > SHOWN_MAX:
            found.add(None, f"{len(sizes) - SHOWN_MAX:,} more checkpoints are not signed either")
        TreeCheck(
            connection, scratch, tree.size, tree.root, tree.claims, tree.unsigned, found
        ).run()
        self._compare(tree.name, scratch, found)


def _take(tree: _Tree, outcome: Outcome) -> int:
    match outcome:
        case Checked():
            for position, what in outcome.broken:
                tree.found.add(position, what)
            return outcome.rows
        case dict():
            tree.unsigned |= outcome
        case list():
            for problem in outcome:
                tree.found.add(None, problem)
    return 0


def _tasks(
    connection: Connection, trees: dict[str, _Tree], manifest_rows_max: int | None
) -> list[Task]:
    manifests, trees["manifests"].found.skipped = _manifests(connection, manifest_rows_max)
    tasks = [Task("events", stored) for stored in manifests]
    for name in trees:
        tasks += [Task(name, sizes) for sizes in ranges(connection, name)]
    tasks += [Task("events", streams) for streams in _stream_ranges(connection, trees["events"])]
    for name in ("checks", "manifests", "audit-reads"):
        rows = trees[name].rows
        starts = range(0, rows, RANGE_ROWS)
        tasks += [Task(name, Positions(at, min(at + RANGE_ROWS, rows))) for at in starts]
    return tasks


def _stream_ranges(connection: Connection, events: _Tree) -> list[Streams]:
    count, last = -(-events.stored // RANGE_ROWS), events.rows
    bounds: list[Any] = []
    if count > 1:
        parameters = {
            "fractions": [n / count for n in range(1, count)],
            "sample": list(range(1, last + 1, max(last // (count * SAMPLE), 1))),
        }
        bounds = scalars(connection, _sql.bounds, parameters)
    return [Streams(*each) for each in zip([None, *bounds], [*bounds, None], strict=True)]


def _manifests(connection: Connection, rows_max: int | None) -> tuple[list[Stored], int]:
    """The manifests to recompute, the newest first, and how many others there are. What it takes is
    told by the log: a manifest may state any number of permits."""
    permits = scalar(connection, _sql.count_streams)
    found, rows, skipped = list[Stored](), 0, 0
    for position, entry in query_rows(connection, _sql.manifests_from_the_newest):
        with suppress(Corrupt):  # which is reported with the claims
            manifest = Manifest.of(entry)
            rows += min(permits, manifest.log_size)
            if found and rows_max is not None and rows > rows_max:
                skipped += 1
            else:
                found.append(Stored(position, manifest, is_newest=not found))
    return found, skipped


def _manifests_claims(connection: Connection, found: Verified) -> list[Claim]:
    claims, last = [], 0
    cursor = connection.cursor(row_factory=tuple_row)
    for position, entry in cursor.execute(_sql.manifests, binary=True):
        try:
            manifest = Manifest.of(entry)
        except Corrupt as error:
            found.add(position, str(error))
            continue
        if manifest.log_size <= last:
            found.add(
                position, f"a manifest of {manifest.log_size:,} entries follows one of {last:,}"
            )
        last = max(last, manifest.log_size)
        claims.append(Claim(manifest.log_size, manifest.log_root, "the manifests", is_signed=False))
    return claims


def _compare_with_kept(connection: Connection, tree: _Tree) -> None:
    """Compare the tree with checkpoints that are kept elsewhere."""
    newest = scalar(connection, _sql.newest_size, {"tree": tree.name})
    signed = max([newest, *(claim.size for claim in tree.claims if claim.is_signed)])
    if newest > tree.size:
        tree.found.add(None, f"the checkpoints kept go on to {newest:,} entries, the tree does not")
    if signed < tree.size:
        tree.found.add(signed + 1, f"not signed: the newest checkpoint is of {signed:,} entries")
    for claim in tree.claims:
        parameters = {"tree": tree.name, "size": claim.size}
        kept = connection.execute(_sql.checkpoint_kept, parameters).fetchone()
        if claim.size > max(tree.head, tree.size):
            tree.found.add(
                max(tree.head, tree.size) + 1,
                f"missing: {claim.source} is of {claim.size:,} entries, the log ends at"
                f" {tree.head:,}",
            )
        elif kept is None and claim.size <= max(tree.size, newest):
            tree.found.add(
                None, f"{claim.source}, of {claim.size:,} entries, is not among those kept"
            )


def _beyond(connection: Connection, tree: _Tree) -> None:
    """Find rows beyond the log's head."""
    query = {
        "events": _sql.beyond_events,
        "checks": _sql.beyond_checks,
        "audit-reads": _sql.beyond_audit_reads,
    }.get(tree.name)
    if query is None:
        return
    for position in scalars(connection, query, {"after": tree.last, "limit": SHOWN_MAX}):
        tree.found.add(position, f"inserted: the log's head is {tree.head:,}")
