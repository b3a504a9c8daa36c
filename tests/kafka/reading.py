"""What others read: the topics, through a client that is not ours (``kcat``, on librdkafka)."""

import json
import subprocess
from collections import defaultdict
from typing import NamedTuple

from consumers.kinds import PERMITS

READ_TIMEOUT_S = 60


class Read(NamedTuple):
    """A record. ``key`` and ``value`` are texts, ``value`` ``None`` for a tombstone."""

    partition: int
    offset: int
    key: str
    value: str | None
    headers: dict


def read(address, topic):
    """All that is committed to a topic, in each partition's order."""
    command = ["kcat", "-C", "-e", "-q", "-J", "-b", address, "-t", topic, "-o", "beginning"]
    done = subprocess.run(
        [*command, "-X", "isolation.level=read_committed"],
        check=True,
        capture_output=True,
        timeout=READ_TIMEOUT_S,
    )
    records = [_record(json.loads(line)) for line in done.stdout.splitlines()]
    return sorted(records, key=lambda record: (record.partition, record.offset))


def read_events(address, prefix=""):
    return read(address, prefix + PERMITS.events_topic)


def read_states(address, prefix=""):
    """Permit number → the newest state, ``None`` for a tombstone."""
    records = read(address, prefix + PERMITS.state_topic)
    return {record.key: record.value and json.loads(record.value) for record in records}


def positions(records):
    return sorted(int(record.headers["ce_id"]) for record in records)


def what_is_wrong(records, head):
    """Sentences; none where every position is there exactly once and each permit's events are in
    order, in one partition."""
    found = positions(records)
    wrong = []
    if found != list(range(1, head + 1)):
        missing = sorted(set(range(1, head + 1)) - set(found))
        doubles = (
            sorted({each for each in found if found.count(each) > 1}) if len(found) < 10**5 else "?"
        )
        wrong.append(f"of {head}, missing: {missing[:10]}, twice: {doubles[:10]}")
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


def _record(line):
    headers = line.get("headers", [])
    pairs = dict(zip(headers[::2], headers[1::2], strict=True))
    return Read(line["partition"], line["offset"], line["key"], line["payload"], pairs)
