"""What others read: the topics, through a client that is not ours (``kcat``, on librdkafka)."""

import json
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from consumers.contract.kinds import KINDS, PERMITS
from tests.web.browsers import required

READ_TIMEOUT_S = 180


class Read(NamedTuple):
    """A record. ``key`` and ``value`` are texts, ``value`` ``None`` for a tombstone."""

    partition: int
    offset: int
    key: str
    value: str | None
    headers: dict[str, str]


def read(address: str, topic: str) -> list[Read]:
    """All that is committed to a topic, in each partition's order."""
    kcat = required(shutil.which("kcat"), "kcat")
    command = [kcat, "-C", "-e", "-q", "-J", "-b", address, "-t", topic, "-o", "beginning"]
    done = subprocess.run(
        [*command, "-X", "isolation.level=read_committed"],
        check=True,
        capture_output=True,
        timeout=READ_TIMEOUT_S,
    )
    records = [_record(json.loads(line)) for line in done.stdout.splitlines()]
    return sorted(records, key=lambda record: (record.partition, record.offset))


def read_events(address: str, prefix: str = "") -> list[Read]:
    """All events of every kind."""
    return [event for kind in KINDS for event in read(address, prefix + kind.events_topic)]


def read_states(address: str, prefix: str = "") -> dict[str, Any]:
    """Permit number → the newest state, ``None`` for a tombstone."""
    records = read(address, f"{prefix}{PERMITS.state_topic}")
    return {record.key: record.value and json.loads(record.value) for record in records}


def positions(records: Iterable[Read]) -> list[int]:
    return sorted(int(record.headers["ce_id"]) for record in records)


def what_is_wrong(records: Sequence[Read], head: int) -> list[str]:
    """Sentences; none where every position is there exactly once and each permit's events are in
    order, in one partition."""
    counts = Counter(positions(records))
    missing = [position for position in range(1, head + 1) if position not in counts]
    others = [position for position in counts if not 1 <= position <= head]
    doubles = [position for position, count in counts.items() if count > 1]
    wrong = [
        f"{what}: {found[:10]}"
        for what, found in (("missing", missing), ("not of the log", others), ("twice", doubles))
        if found
    ]
    versions, partitions = defaultdict(list), defaultdict(set)
    for record in records:
        versions[record.key].append(int(record.headers["ce_streamversion"]))
        partitions[record.key].add(record.partition)
    for key, of_permit in versions.items():
        if of_permit != list(range(1, len(of_permit) + 1)):
            wrong.append(f"versions of {key} come as {of_permit}")
        if len(partitions[key]) != 1:
            wrong.append(f"{key} is in partitions {partitions[key]}")
    return wrong


def _record(line: dict[str, Any]) -> Read:
    headers = line.get("headers", [])
    pairs = dict(zip(headers[::2], headers[1::2], strict=True))
    return Read(line["partition"], line["offset"], line["key"], line["payload"], pairs)
