"""The consumer as its parent sees it."""

import os
import select
import signal
import subprocess
import sys

from ledger.database.connections import as_service

WAIT_S = 180
DUMP_S = 5


class Consumer:
    """In a process of its own, which may be killed and started again."""

    def __init__(self, database_url, folder, *kafka):
        self._arguments = [as_service(database_url), str(folder), *kafka]
        self._process = None

    def start(self):
        command = [sys.executable, "-m", "tests.analytics.sink_process", *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)

    def has_written(self, batches):
        """Wait until it has written so many more."""
        for _ in range(batches):
            ready, _, _ = select.select([self._process.stdout], [], [], WAIT_S)
            if not ready:
                self._process.send_signal(signal.SIGUSR1)  # it prints where its threads are
                select.select([self._process.stdout], [], [], DUMP_S)
                raise AssertionError("it writes nothing")
            assert os.read(self._process.stdout.fileno(), 1) == b"."

    def kill(self):
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
