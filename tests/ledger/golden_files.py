"""A folder of golden files, and everything that can be wrong with it.

``permit.issued.v1.json`` holds the bytes of one event as they lie in the log, with a line end;
``permit.issued.v1.adult.json`` those of another one of the same topic. What an old version's file
is read as today stands under the same name in ``upcast/``, in the newest version's fields.
"""

import re

from eventsourcing.persistence import StoredEvent

from ledger.errors import UnreadableEvent
from ledger.mapper import EventMapper, OrjsonTranscoder

PERMIT_NUMBER = "7Q2M9K4T8XW5"
UPCAST = "upcast"
_NAME = re.compile(r"(?P<topic>.+\.v[1-9]\d*)(\.[a-z-]+)?\.json")


def golden_bytes(file):
    """Without the line end, which is the file's and not the event's."""
    return file.read_bytes().removesuffix(b"\n")


def golden_problems(folder, *, events, steps):
    """What is missing, unread or no longer true, a sentence each; none is as it should be."""
    mapper = EventMapper(OrjsonTranscoder(), events=events, steps=steps)
    files = {file: topic_of(file) for file in sorted(folder.iterdir()) if file.name != UPCAST}
    expectations = {file.name for file in (folder / UPCAST).glob("*")}
    old = {file.name for file, topic in files.items() if topic in steps}
    lacking = sorted(mapper.topics - set(files.values()))
    return [
        *(f"{topic} has no golden file" for topic in lacking),
        *(problem for file in files if (problem := _problem(file, files[file], mapper, steps))),
        *(f"{name} in {UPCAST}/ is of no old version" for name in sorted(expectations - old)),
    ]


def topic_of(file):
    """Whose bytes it holds; ``None`` where its name says nothing of that."""
    found = _NAME.fullmatch(file.name)
    return found and found["topic"]


def _problem(file, topic, mapper, steps):
    if topic not in mapper.topics:
        return f"{file.name} is of a topic that nobody reads"
    stored = golden_bytes(file)
    try:
        event = mapper.to_domain_event(StoredEvent(PERMIT_NUMBER, 1, topic, stored))
    except UnreadableEvent as error:
        return f"{file.name} can't be read any more: {error}"
    written = mapper.to_stored_event(event).state
    if topic not in steps:
        return f"{file.name} is written differently now" if written != stored else None
    expectation = file.parent / UPCAST / file.name
    if not expectation.exists():
        return f"{file.name} has no expectation in {UPCAST}/; today it is {written.decode()}"
    if golden_bytes(expectation) != written:
        return f"{file.name} is not read as {UPCAST}/ expects"
    return None
