"""Records of an events topic as the views take them, whatever a stranger may have put there."""

from __future__ import annotations

from collections.abc import Callable

from eventsourcing.persistence import Notification, StoredEvent
from kafka.consumer.fetcher import ConsumerRecord

from consumers.contract.cloudevents import BadRecord, EventRecord, claim_in, decode
from consumers.contract.kinds import Kind
from consumers.relay.records import partition_of
from domain import permit_number
from domain.events import PermitEvent
from ledger.codec.mapper import EventMapper
from ledger.errors import Corrupt
from projections.projector.opening import Describe, Unreadable
from projections.remote.views import Taken, TakenEvent

STRANGE_SOURCE = "it is not this ledger's"
STRANGE_PARTITION = "it lies in another partition than its key's"
STRANGE_NUMBER = "its subject is no permit number"
STRANGE_KIND = "it is of another kind than permits"


class RecordTaker:
    """Reads records of one ledger's events; ``types`` are those that this version knows."""

    def __init__(
        self,
        mapper: EventMapper,
        kind: Kind,
        source: str,
        describe: Describe,
        *,
        partition_of: Callable[[str], int] = partition_of,
    ) -> None:
        self._mapper = mapper
        self._kind = kind
        self._source = source
        self._describe = describe
        self._partition_of = partition_of

    def take(self, record: ConsumerRecord) -> Taken:
        """Never raises for what the record holds.

        A bad record that claims to be an event of this ledger, under its permit's own key, stops
        that permit: what the event says is not known. Any other is nobody's.
        """
        decoded = decode(record, types=self._kind.types)
        if isinstance(decoded, BadRecord):
            return self._bad(record, decoded.reason, "")
        if reason := self._stranger(decoded, record.partition):
            return _nobodys(record, reason)
        stored = _stored(decoded.position, decoded.version, decoded.subject, decoded.type)
        plain = StoredEvent(decoded.subject, decoded.version, decoded.type, b"")
        try:
            event = self._mapper.from_plain(plain, decoded.fields)
        except Corrupt as error:
            return self._bad(record, _told(error.detail), self._describe(error))
        except Exception as error:  # noqa: BLE001  whatever a stranger's fields do to it
            return self._bad(record, f"it can't be read: {type(error).__name__}", "")
        if not isinstance(event, PermitEvent):
            return _nobodys(record, STRANGE_KIND)
        return Taken(record.partition, record.offset, event=TakenEvent(stored, event, decoded.time))

    def _stranger(self, decoded: EventRecord, partition: int) -> str | None:
        if decoded.source != self._source:
            return STRANGE_SOURCE
        if not permit_number.is_valid(decoded.subject):
            return STRANGE_NUMBER
        return None if self._partition_of(decoded.subject) == partition else STRANGE_PARTITION

    def _bad(self, record: ConsumerRecord, reason: str, trace: str) -> Taken:
        claim = claim_in(record, self._source)
        if (
            claim is None
            or not permit_number.is_valid(claim.subject)
            or self._partition_of(claim.subject) != record.partition
        ):
            return _nobodys(record, reason)
        known_type = claim.type if claim.type in self._kind.types else "unknown"
        stored = _stored(claim.position, claim.version, claim.subject, known_type)
        event = TakenEvent(stored, Unreadable(reason, trace), None)
        return Taken(record.partition, record.offset, event, reason, _bytes(record))


def _nobodys(record: ConsumerRecord, reason: str) -> Taken:
    return Taken(record.partition, record.offset, None, reason, _bytes(record))


def _stored(position: int, version: int, subject: str, event_type: str) -> Notification:
    return Notification(
        id=position,
        originator_id=subject,
        originator_version=version,
        topic=event_type,
        state=b"",
    )


def _bytes(record: ConsumerRecord) -> int:
    return len(record.value or b"")


def _told(detail: str) -> str:
    """Names of fields may be a stranger's own words: those stay out."""
    return detail if detail.isascii() and len(detail) < 300 else "its fields are not its type's"  # noqa: PLR2004
