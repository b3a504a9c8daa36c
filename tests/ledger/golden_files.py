"""A folder of golden files, and everything that can be wrong with it.

``permit.issued.v1.json`` holds the bytes of one event as they lie in the log, with a line end;
``permit.issued.v1.adult.json`` those of another one of the same topic. What an old version's file
is read as today stands under the same name in ``upcast/``, in the newest version's fields.

What is personal is sealed in them, under the one key and nonce of :mod:`tests.ledger.sealing`.
``before-digests/`` has the same events as they were stored before their fields could be disclosed
one by one.
"""

import re
from dataclasses import fields, is_dataclass
from operator import attrgetter

from eventsourcing.persistence import StoredEvent

from domain.personal import ERASED, parts
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.errors import UnreadableEvent
from tests.ledger.sealing import KEY, KEYS, NO_KEYS, read, same_nonce

PERMIT_NUMBER = "7Q2M9K4T8XW5"
UPCAST = "upcast"
BEFORE_DIGESTS = "before-digests"
TELLING_LENGTH_MIN = 3
_NAME = re.compile(r"(?P<topic>.+\.v[1-9]\d*)(\.[a-z-]+)?\.json")


def golden_bytes(file):
    """Without the line end, which is the file's and not the event's."""
    return file.read_bytes().removesuffix(b"\n")


def golden_problems(folder, *, events, steps):
    """What is missing, unread or no longer true, a sentence each; none is as it should be."""
    mapper = EventMapper(OrjsonTranscoder(), events=events, steps=steps)
    found = [file for file in sorted(folder.iterdir()) if file.name not in {UPCAST, BEFORE_DIGESTS}]
    files = {file: topic_of(file) for file in found}
    expectations = {file.name for file in (folder / UPCAST).glob("*")}
    old = {file.name for file, topic in files.items() if topic in steps}
    lacking = sorted(mapper.topics - set(files.values()))
    return [
        *(f"{topic} has no golden file" for topic in lacking),
        *(problem for file in files if (problem := _problem(file, files[file], mapper, steps))),
        *(f"{name} in {UPCAST}/ is of no old version" for name in sorted(expectations - old)),
    ]


def version_of(topic):
    """At which version of its permit the event stands: it is sealed for that place alone."""
    return 1 if topic.startswith(("permit.issued.", "id-card.accepted.")) else 2


def topic_of(file):
    """Whose bytes it holds; ``None`` where its name says nothing of that."""
    found = _NAME.fullmatch(file.name)
    return found and found["topic"]


def _problem(file, topic, mapper, steps):
    if topic not in mapper.topics:
        return f"{file.name} is of a topic that nobody reads"
    stored = StoredEvent(PERMIT_NUMBER, version_of(topic), topic, golden_bytes(file))
    try:
        [event] = read(mapper, stored, keys=KEYS)
        [erased] = read(mapper, stored, keys=NO_KEYS)
    except UnreadableEvent as error:
        return f"{file.name} can't be read any more: {error}"
    if shown := shown_without_key(stored, event, erased):
        return f"{file.name} tells {shown} without the key"
    with same_nonce():
        written = mapper.to_stored_event(event, KEY).state
    if topic not in steps:
        return f"{file.name} is written differently now" if written != stored.state else None
    expectation = file.parent / UPCAST / file.name
    if not expectation.exists():
        return f"{file.name} has no expectation in {UPCAST}/; today it is {written.decode()}"
    if golden_bytes(expectation) != written:
        return f"{file.name} is not read as {UPCAST}/ expects"
    return None


def shown_without_key(stored, event, erased):
    """A personal field that is readable after the key is destroyed, or is in the stored bytes."""
    for path in parts(type(event)).paths:
        personal, left = attrgetter(path)(event), attrgetter(path)(erased)
        seen = f"{stored.state.decode()} {erased!r}"
        if left is not ERASED or any(text in seen for text in _telling(personal)):
            return path
    return None


def _telling(value):
    """The texts in a value, but for codes such as a sex, which stand anywhere."""
    if isinstance(value, str):
        yield from [value] if len(value) >= TELLING_LENGTH_MIN else []
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _telling(inner)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _telling(getattr(value, field.name))
