"""``kill -9`` of the relay at random points, under load, and of the broker in between."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from domain.policy import Policy
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import connect
from tests.kafka.broker import Broker
from tests.kafka.growing import Growth
from tests.kafka.reading import read_events, what_is_wrong
from tests.waiting import until

WAIT_S = 180
AFTER_START_MAX_S = 1.5
AFTER_MOVE_MAX_S = 0.5
"""A relay is killed so long after it was seen to begin, at most, or to have moved: some while they
read the tail, some in their first transaction, some in a later one, however slow the machine is."""


@contextmanager
def relay_process(
    database_url: str, address: str, data_dir: Path, prefix: str = "", **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """``permit-ledger relay``, as operators run it."""
    environment = {
        **os.environ,
        "PERMIT_LEDGER_DATABASE_URL": database_url,
        "PERMIT_LEDGER_DATA_DIR": str(data_dir),
        "PERMIT_LEDGER_KAFKA": address,
        **({"PERMIT_LEDGER_KAFKA_TOPIC_PREFIX": prefix} if prefix else {}),
        "PERMIT_LEDGER_LOG_LEVEL": "error",
        **settings,
    }
    process = subprocess.Popen([sys.executable, "-m", "permit_ledger", "relay"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Kills:
    """``run`` gives the sentences of what is wrong afterwards; ``events`` is how many were read."""

    def __init__(
        self,
        database_url: str,
        ledger: BlockingLedger,
        policy: Policy,
        data_dir: Path,
        prefix: str = "",
    ) -> None:
        self._database_url, self._ledger, self._policy = database_url, ledger, policy
        self._data_dir, self._prefix = data_dir, prefix
        self.kills = self.events = self.restarts_of_broker = 0

    def run(self, broker: Broker, kills: int, seed: int, *, bounce_every: int) -> list[str]:
        chance = random.Random(seed)  # noqa: S311  chances, no secrets
        with Growth(self._ledger, self._policy, applications_share=0.2):
            for number in range(1, kills + 1):
                self._kill_once(broker.address, chance)
                if number % bounce_every == 0:
                    self._bounce(broker, chance)
        head = self._ledger.head()
        with relay_process(self._database_url, broker.address, self._data_dir, self._prefix):
            until(lambda: self._row()[0] == head, wait_s=WAIT_S)
        records = read_events(broker.address, self._prefix)
        self.events = len(records)
        return what_is_wrong(records, head)

    def _kill_once(self, address: str, chance: random.Random) -> None:
        position, starts = self._row()
        with relay_process(self._database_url, address, self._data_dir, self._prefix) as process:
            until(lambda: self._row()[1] > starts, wait_s=WAIT_S)
            if chance.random() < 0.5:
                time.sleep(chance.uniform(0, AFTER_START_MAX_S))
            else:
                until(lambda: self._row()[0] > position, wait_s=WAIT_S)
                time.sleep(chance.uniform(0, AFTER_MOVE_MAX_S))
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.kills += 1

    def _bounce(self, broker: Broker, chance: random.Random) -> None:
        """With a relay at work."""
        with relay_process(self._database_url, broker.address, self._data_dir, self._prefix):
            time.sleep(chance.uniform(0.5, 2))
            if chance.random() < 0.5:
                broker.stop()
            else:
                broker.kill()
            broker.start()
        self.restarts_of_broker += 1

    def _row(self) -> tuple[int, int]:
        with connect(self._database_url) as connection:
            query = "SELECT coalesce(position, 0), starts FROM ledger.relay"
            return cast("tuple[int, int]", connection.execute(query).fetchone())
