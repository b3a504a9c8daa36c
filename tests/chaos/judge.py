"""Compare the guarantees with the database, independently of the ledger's code."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from ledger.database.connections import connect
from tests.chaos.workload import CALLER, Acknowledgement

LOG = "SELECT position, stream, version, state FROM ledger.events ORDER BY position"
ANSWERS = "SELECT key, body, version, position FROM ledger.answers WHERE caller = %s"


@dataclass
class Verdict:
    """Violations of the guarantees; empty lists if there are none.

    ``lost``: acknowledged, and not in the log as it was acknowledged; ``doubled``: keys that took
    effect more than once; ``missing``: keys that should have taken effect and did not; ``gaps``:
    positions that are missing, of the log or of a permit's versions; ``skipped``: a follower
    received something else than the next position; ``disagreeing``: keys whose response, stored or
    sent, differs from their event.
    """

    head: int = 0
    lost: list[Acknowledgement] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    disagreeing: list[str] = field(default_factory=list)

    @property
    def problems(self) -> dict[str, list[object]]:
        """The violations by name; empty if there are none."""
        return {
            name: list(found)
            for name, found in vars(self).items()
            if isinstance(found, list) and found
        }


Event = tuple[int, str, int]
"""Position, permit, version."""


def judge(
    database_url: str,
    acknowledged: Sequence[Acknowledgement] = (),
    *,
    done: Iterable[str] = (),
    followed: Sequence[int] | None = None,
) -> Verdict:
    """Check the log and the responses, after all writers have ended.

    ``done`` are keys that were retried until they were answered, ``followed`` the positions of a
    follower that has caught up.
    """
    with connect(database_url) as connection:
        rows = connection.execute(LOG).fetchall()
        kept = connection.execute(ANSWERS, [CALLER]).fetchall()
        head = connection.execute("SELECT position FROM ledger.head").fetchall()[0][0]
    assert isinstance(head, int)
    verdict = Verdict(head)
    by_key: defaultdict[str, list[Event]] = defaultdict(list)
    positions, versions = [], Counter[str]()
    for position, stream, version, state in rows:
        assert isinstance(position, int)
        assert isinstance(stream, str)
        assert isinstance(version, int)
        assert isinstance(state, bytes)
        by_key[orjson.loads(state)["correlation_id"]].append((position, stream, version))
        positions.append(position)
        versions[stream] += 1
        if version != versions[stream]:
            verdict.gaps.append(f"{stream} has version {version} as its {versions[stream]}th")
    verdict.gaps += _not_contiguous(positions, head)
    verdict.doubled = [key for key, events in by_key.items() if len(events) > 1]
    verdict.missing = sorted(set(done) - by_key.keys())
    verdict.lost = [
        confirmed
        for confirmed in acknowledged
        if (confirmed.position, confirmed.number, confirmed.version)
        not in by_key.get(confirmed.key, [])
    ]
    answers = {key: (position, body) for key, body, _, position in kept}
    verdict.disagreeing = [
        key
        for key in answers.keys() | by_key.keys()
        if answers.get(key) not in [(at, f"{number} {n}".encode()) for at, number, n in by_key[key]]
    ]
    if followed is not None:
        verdict.skipped = _not_contiguous(followed, head)
    return verdict


def kept_keys(database_url: str, keys: Iterable[str]) -> set[str]:
    """Those of ``keys`` that have a response."""
    with connect(database_url) as connection:
        kept = connection.execute(ANSWERS, [CALLER]).fetchall()
    return set(keys) & {str(key) for key, *_ in kept}


def _not_contiguous(found: Sequence[int], head: int) -> list[str]:
    """The positions at which ``found`` differs from 1, 2, 3 … up to ``head``."""
    if list(found) == list(range(1, head + 1)):
        return []
    at = next((n for n, p in enumerate(found, 1) if n != p), len(found) + 1)
    shown = found[at - 1] if at <= len(found) else "nothing"
    return [f"{shown} instead of {at}; {len(found)} of {head}"]
