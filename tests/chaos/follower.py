"""A follower that may be killed: ``python -m tests.chaos.follower URL FILE``.

Each page that it received is one write of lines at the end of the file, flushed to disk; it goes
on after the last whole line, as a consumer that keeps its position with its work does. Ends with
its standard input.
"""

import logging
import os
import sys
from pathlib import Path
from threading import Event, Thread

import structlog

from ledger.eventlog.follow import follow


def kept_positions(file: Path) -> list[int]:
    """All whole lines, in their order."""
    if not file.exists():
        return []
    lines = file.read_bytes().split(b"\n")[:-1]
    return [int(line) for line in lines]


def main() -> None:
    logging.disable(logging.WARNING)  # each outage would be one
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    url, file, stop = sys.argv[1], Path(sys.argv[2]), Event()

    def stop_at_the_end_of_input() -> None:
        sys.stdin.read()
        stop.set()

    Thread(target=stop_at_the_end_of_input, daemon=True).start()
    kept = kept_positions(file)
    with file.open("ab") as out:
        out.truncate(file.read_bytes().rfind(b"\n") + 1)
        for page in follow(url, after=kept[-1] if kept else 0, stop=stop):
            out.write(b"".join(b"%d\n" % event.id for event in page))
            out.flush()
            os.fsync(out.fileno())


if __name__ == "__main__":
    main()
