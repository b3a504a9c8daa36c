"""The examples of docs/consumers.md, run as they are printed there."""

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from consumers.contract.kinds import PERMITS
from tests.kafka.growing import grow
from tests.waiting import until

DOCUMENT = Path(__file__).parents[2] / "docs" / "consumers.md"
WAIT_S = 180


def blocks(language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.fixture
def relayed(ledger, policy, relaying, until_relayed):
    with relaying():
        until_relayed(grow(ledger, policy, 40))
    return ledger


@pytest.fixture
def example(tmp_path, kafka, prefix):
    """Start the Python example; ``example("--until-end")``."""
    [text] = blocks("python")
    file = tmp_path / "count_events.py"
    file.write_text(text, "utf-8")
    results = tmp_path / "counts.db"

    def example(*options):
        topic = prefix + PERMITS.events_topic
        command = [sys.executable, "-W", "ignore", file, kafka, topic, results, *options]
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": ""})

    example.results = results
    return example


def counts(file):
    with sqlite3.connect(file) as results:
        found = results.execute("SELECT type, sum(events) FROM counts GROUP BY type").fetchall()
        aside = results.execute("SELECT count(*) FROM aside").fetchone()[0]
    return dict(found), aside


def has_begun(file):
    try:
        return bool(counts(file)[0])
    except sqlite3.OperationalError:
        return False


def test_the_python_example_counts_each_event_once(
    relayed, example, policy, relaying, until_relayed
):
    """It is killed once it has begun, and started twice more with further events in between."""
    killed = example()
    until(lambda: has_begun(example.results), wait_s=WAIT_S)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 0 == example("--until-end").wait(WAIT_S)
    with relaying():
        until_relayed(grow(relayed, policy, 10))
    assert 0 == example("--until-end").wait(WAIT_S)

    of_log = Counter(each.topic for each in relayed.events(1, 100_000))
    assert (dict(of_log), 0) == counts(example.results)


def test_the_commands_of_kcat_show_events_and_states(relayed, kafka, prefix):
    lines = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    commands = [command for command in lines if command[0] == "kcat"]
    assert len(commands) == 2
    outputs = []
    for command in commands:
        ours = [word.replace("localhost:9092", kafka) for word in command]
        ours = [prefix + word if word in PERMITS.topics else word for word in ours]
        outputs.append(
            subprocess.run(ours, check=True, capture_output=True, text=True, timeout=WAIT_S).stdout
        )
    events, states = outputs
    assert 10 == len(events.splitlines())
    assert all("ce_id" in json.loads(line)["headers"] for line in events.splitlines())
    number, state = states.splitlines()[0].split(" ", 1)
    assert number == json.loads(state)["permit_number"]
