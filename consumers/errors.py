"""Errors that stop the relay until an operator acts; after any other error it retries.

::

    RelayStopped
    ├── TopicLost      the topics contain less than was sent
    ├── LogForked      the topics contain events that the log does not
    ├── TailUnknown    the topics are empty and their last position is unknown
    ├── TopicsUnfit    a topic has the wrong partitions or settings
    ├── NoTopic        a kind of events has no topic
    └── Refused        the brokers refuse, and a retry would not help
        └── RecordTooLarge   a record is larger than its topic's limit
"""

from __future__ import annotations

SPARE_BYTES = 1024
"""Allowance for the overhead of brokers and compression."""
_GUIDE = "docs/operations.md, 'When the relay stops', has the steps."


class RelayStopped(Exception):
    """The message states the cause and what to do."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} {_GUIDE}")


class TopicLost(RelayStopped):
    """Records that were sent are missing."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} Nothing is sent. Was a topic deleted, or the cluster replaced or restored?"
            " Bring its records back; or delete the topics and run `permit-ledger relay --replay`,"
            " which sends the log again from the beginning."
        )


class LogForked(RelayStopped):
    """The topics contain events of a different history than the database."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} Nothing is sent. Was the database restored from a backup? Others have read"
            " events that it has lost: recover those (point-in-time recovery, a stand-by). If they"
            " are gone for good, tell the topics' readers, delete the topics and run"
            " `permit-ledger relay --replay`."
        )


class TailUnknown(RelayStopped):
    """The topics' last position is unknown."""


class TopicsUnfit(RelayStopped):
    """A topic has other partitions or settings than required."""


class Refused(RelayStopped):
    """The cluster's rights, version, settings or policies prevent the request."""


class RecordTooLarge(Refused):
    """``limit_bytes`` is the limit of ``topic`` when the record was refused."""

    def __init__(self, what: str, topic: str, size_bytes: int, limit_bytes: int | None) -> None:
        self.topic = topic
        self.limit_bytes = limit_bytes
        limit = "" if limit_bytes is None else f" (max.message.bytes={limit_bytes})"
        super().__init__(
            f"{what} is a record of {size_bytes} bytes before compression, and the topic {topic}"
            f" does not take it{limit}. Nothing is sent from the transaction that it belongs to on."
            f" Set max.message.bytes of {topic} to at least {size_bytes + SPARE_BYTES}, and"
            " message.max.bytes of the brokers where that is lower."
        )


class NoTopic(RelayStopped):
    """An event's kind is not in :data:`consumers.contract.kinds.KINDS`."""
