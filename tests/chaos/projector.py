"""A projector that may be killed, with its auditor, as in the ``project`` role:
``python -m tests.chaos.projector URL``. Ends with its standard input."""

import gc
import logging
import sys
from threading import Event, Thread

import structlog

from ledger.crypto.holder_keys import HolderKeys
from permit_ledger.logging.tracebacks import describe
from permit_ledger.roles.project import GC_OBJECTS
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector
from projections.quarantine.auditor import Auditor
from projections.views.registry import all_views
from tests.chaos.workload import BLIND_INDEX
from tests.keks import keyring

AUDITED_PERMITS_PER_S = 10


def main() -> None:
    logging.disable(logging.WARNING)  # each outage would be one
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    url, stop = sys.argv[1], Event()
    holder_keys = HolderKeys(keyring())
    views = all_views(BLIND_INDEX)

    def stop_at_the_end_of_input() -> None:
        sys.stdin.read()
        stop.set()

    Thread(target=stop_at_the_end_of_input, daemon=True).start()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    opener = EventOpener(holder_keys, describe)
    auditor = Auditor(url, views, opener, stop, permits_per_s=AUDITED_PERMITS_PER_S)
    Thread(target=auditor.run, name="auditor", daemon=True).start()
    Projector(url, views, EventOpener(holder_keys, describe), stop).run()


if __name__ == "__main__":
    main()
