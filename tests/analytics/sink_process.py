"""The consumer in a process that may be killed: ``python -m tests.analytics.sink_process URL FOLDER``.
It takes small batches, and writes a dot after each, so that there are many moments to be killed at."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from consumers.analytics.check_source import CheckSource
from consumers.analytics.log_source import LogSource
from consumers.analytics.publishing import Publisher
from consumers.analytics.runner import Analytics
from consumers.analytics.sink import Sink
from ledger.mapper import EventMapper, OrjsonTranscoder

BATCH_EVENTS_MAX = 20


def main() -> None:
    write = Sink.write

    def write_and_tell(sink, batch):
        write(sink, batch)
        sys.stdout.write(".")
        sys.stdout.flush()

    Sink.write = write_and_tell
    Publisher.draw = lambda self, today: None  # takes longer than all the rest
    url, folder = sys.argv[1], Path(sys.argv[2])
    parse = EventMapper(OrjsonTranscoder()).parse
    source = LogSource(url, parse, batch_events_max=BATCH_EVENTS_MAX)
    now = datetime.now(UTC)
    Analytics(folder, source, CheckSource(url), lambda: now, Event(), grace_days=30).run()


if __name__ == "__main__":
    main()
