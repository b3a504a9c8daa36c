"""Sends records in one Kafka transaction: either all are certainly committed, or it raises.

The client is not trusted. The acknowledgement of every record is awaited, since an expired batch is
dropped without failing the transaction. A commit has a timeout, since it may never return. It
counts only after a reader of committed records has read the last record, since the client may
report a commit that the broker never received. After any error the producer is closed and not used
again; ``init_transactions`` of the next one ends an open transaction.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.producer.future import FutureRecordMetadata

from consumers.contract.cloudevents import Outgoing
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import connection

from .refusals import TOO_LARGE, is_too_large

TRANSACTION_TIMEOUT_MS = 20_000
"""The broker aborts transactions that are open for longer, which bounds how long a killed relay
blocks readers."""
REQUEST_TIMEOUT_MS = 6_000
DELIVERY_TIMEOUT_MS = 12_000
ACKNOWLEDGE_TIMEOUT_S = 13.0
COMMIT_TIMEOUT_S = 15.0
SEEN_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 1.0
BATCH_BYTES = 256 * 1024
LINGER_MS = 20
REQUEST_BYTES_MAX = 1024 * 1024
SEEN_POLL_MS = 200


class NotCommitted(Exception):
    """It is unknown whether the transaction was committed; the topics' tail shows it."""


class TooLarge(Exception):
    """One of the records at ``indexes`` is larger than the brokers accept. The client gives the
    same error to those that it dropped because of that one."""

    def __init__(self, indexes: Sequence[int]) -> None:
        self.indexes = indexes
        super().__init__("a record is too large")


class Transactions:
    """Owns a producer; the caller's ``reader`` confirms commits. Always close it."""

    def __init__(
        self,
        brokers: Brokers,
        transactional_id: str,
        reader: KafkaConsumer,
        *,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        """Fence other producers with the same id, and wait until their open transaction has ended.

        A batch has at most ``batch_bytes``, unless a single record is larger.

        Raises:
            KafkaError
        """
        self._reader = reader
        options = {**producer_options(brokers, transactional_id), "batch_size": batch_bytes}
        self._producer = KafkaProducer(**options)
        try:
            self._producer.init_transactions()
        except BaseException:
            self.close()
            raise

    def send(self, records: Sequence[Outgoing], last: int) -> dict[str, dict[str, int]]:
        """Send and commit; ``last`` is the index of the record that confirms the commit when read.

        Returns:
            Topic → partition → the offset after the last record.

        Raises:
            TooLarge, NotCommitted, KafkaError: this producer has to be closed.
        """
        producer = self._producer
        producer.begin_transaction()
        futures: list[FutureRecordMetadata] = []
        try:
            for each in records:
                future = producer.send(
                    each.topic,
                    value=each.value,
                    key=each.key,
                    headers=each.headers,
                    partition=each.partition,
                )
                futures.append(future)  # one by one: an error may come in between
            producer.flush(ACKNOWLEDGE_TIMEOUT_S)
            sent = [future.get(ACKNOWLEDGE_TIMEOUT_S) for future in futures]
        except KafkaError as error:
            # The first error is often that of another record, dropped because of the large one.
            failed = [index for index, each in enumerate(futures) if is_too_large(each.exception)]
            if failed:
                raise TooLarge(failed) from error
            if isinstance(error, TOO_LARGE):  # the client's own limit, before sending
                raise TooLarge([len(futures)]) from error
            raise
        _within(COMMIT_TIMEOUT_S, producer.commit_transaction)
        self._confirm(records[last], sent[last].offset)
        ends: dict[str, dict[str, int]] = {}
        for each in sent:
            of_topic = ends.setdefault(each.topic, {})
            of_topic[str(each.partition)] = max(
                of_topic.get(str(each.partition), 0), each.offset + 1
            )
        return ends

    def close(self) -> None:
        """Abandon the open transaction; nothing more is sent."""
        with suppress(Exception):  # unsent records no longer matter
            self._producer.close(CLOSE_TIMEOUT_S)
        # A close that fails while flushing leaves the sending thread running.
        self._producer._sender.force_close()

    def _confirm(self, record: Outgoing, offset: int) -> None:
        partition = TopicPartition(record.topic, record.partition)
        self._reader.assign([partition])
        self._reader.seek(partition, offset)
        deadline = time.monotonic() + SEEN_TIMEOUT_S
        while time.monotonic() < deadline:
            for found in self._reader.poll(timeout_ms=SEEN_POLL_MS, max_records=1).get(
                partition, []
            ):
                if found.offset == offset and found.headers == record.headers:
                    return
                raise NotCommitted("another record is where the relay's was written")
        raise NotCommitted("a commit that was reported cannot be read")


def producer_options(brokers: Brokers, transactional_id: str | None) -> dict[str, object]:
    """Return the options of the relay's producer, also used for comparison in benchmarks."""
    transactional = {
        "transactional_id": transactional_id,
        "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
    }
    return {
        **connection(brokers),
        **(transactional if transactional_id else {}),
        "acks": "all",
        "allow_auto_create_topics": False,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "delivery_timeout_ms": DELIVERY_TIMEOUT_MS,
        "max_block_ms": TRANSACTION_TIMEOUT_MS + REQUEST_TIMEOUT_MS,
        "batch_size": BATCH_BYTES,
        "linger_ms": LINGER_MS,
        "max_request_size": REQUEST_BYTES_MAX,
        "compression_type": "lz4",
        "metrics_enabled": False,
    }


def _within(timeout_s: float, call: Callable[[], object]) -> None:
    """Run ``call`` in its own thread, which is abandoned after the timeout.

    Raises:
        NotCommitted: the call has timed out.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  raised again by the waiting thread
            errors.append(error)

    thread = threading.Thread(target=run, name="commit", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise NotCommitted(f"a commit has not come back within {timeout_s:.0f} s")
    if errors:
        raise errors[0]
