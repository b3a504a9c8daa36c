"""Another service, to which clients send again the commands without an answer."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from ledger.errors import Contended, Unavailable
from tests.chaos.services import service_at
from tests.chaos.workload import Acknowledgement, Workload

THREADS = 8
WAIT_S = 180
PAUSE_S = 0.05

_pause = Event()  # never set


def retry(database_url: str, workload: Workload, keys: Iterable[str]) -> list[Acknowledgement]:
    """Send each of ``keys`` again until it is answered.

    Raises:
        Unavailable, Contended: after half a minute of retries.
    """
    deadline = time.monotonic() + WAIT_S
    with service_at(database_url, "thread") as service, ThreadPoolExecutor(THREADS) as threads:

        def send(key: str) -> Acknowledgement:
            request = workload.request(key)
            while True:
                try:
                    return Acknowledgement.of(request, service.run(request))
                except (Unavailable, Contended):
                    if time.monotonic() > deadline:
                        raise
                    _pause.wait(PAUSE_S)

        return list(threads.map(send, sorted(keys)))
