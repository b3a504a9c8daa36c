"""Decodes records of an events topic for the views, also those of other producers."""

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
from projections.projector.pages import Describe, Unreadable
from projections.remote.views import RemoteEvent, RemoteRecord

FOREIGN_SOURCE = "it is not this ledger's"
FOREIGN_PARTITION = "it lies in another partition than its key's"
FOREIGN_NUMBER = "its subject is no permit number"
FOREIGN_KIND = "it is of another kind than permits"


class RecordDecoder:
    """Decodes records of one ledger's events, of the types that this version knows."""

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

    def decode(self, record: ConsumerRecord) -> RemoteRecord:
        """Decode a record; never raises for its content.

        A bad record that claims to be an event of this ledger, under its permit's own key,
        quarantines that permit, since the event's content is unknown. Any other bad record belongs
        to no permit.
        """
        decoded = decode(record, types=self._kind.types)
        if isinstance(decoded, BadRecord):
            return self._bad(record, decoded.reason, "")
        if reason := self._foreign(decoded, record.partition):
            return _unclaimed(record, reason)
        stored = _stored(decoded.position, decoded.version, decoded.subject, decoded.type)
        plain = StoredEvent(decoded.subject, decoded.version, decoded.type, b"")
        try:
            event = self._mapper.from_plain(plain, decoded.fields)
        except Corrupt as error:
            return self._bad(record, _without_foreign_text(error.detail), self._describe(error))
        except Exception as error:  # noqa: BLE001  any error that foreign fields cause
            return self._bad(record, f"it can't be read: {type(error).__name__}", "")
        if not isinstance(event, PermitEvent):
            return _unclaimed(record, FOREIGN_KIND)
        return RemoteRecord(
            record.partition, record.offset, event=RemoteEvent(stored, event, decoded.time)
        )

    def _foreign(self, decoded: EventRecord, partition: int) -> str | None:
        if decoded.source != self._source:
            return FOREIGN_SOURCE
        if not permit_number.is_valid(decoded.subject):
            return FOREIGN_NUMBER
        return None if self._partition_of(decoded.subject) == partition else FOREIGN_PARTITION

    def _bad(self, record: ConsumerRecord, reason: str, trace: str) -> RemoteRecord:
        claim = claim_in(record, self._source)
        if (
            claim is None
            or not permit_number.is_valid(claim.subject)
            or self._partition_of(claim.subject) != record.partition
        ):
            return _unclaimed(record, reason)
        known_type = claim.type if claim.type in self._kind.types else "unknown"
        stored = _stored(claim.position, claim.version, claim.subject, known_type)
        event = RemoteEvent(stored, Unreadable(reason, trace), None)
        return RemoteRecord(record.partition, record.offset, event, reason, _bytes(record))


def _unclaimed(record: ConsumerRecord, reason: str) -> RemoteRecord:
    return RemoteRecord(record.partition, record.offset, None, reason, _bytes(record))


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


def _without_foreign_text(detail: str) -> str:
    """Names of fields may be another producer's text, which is left out."""
    return detail if detail.isascii() and len(detail) < 300 else "its fields are not its type's"  # noqa: PLR2004
