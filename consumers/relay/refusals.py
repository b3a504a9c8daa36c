"""Distinguishes permanent refusals of the brokers from transient errors.

The client wraps errors in other errors and in texts; both are searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kafka.errors import (
    AuthorizationError,
    CorruptRecordError,
    InvalidConfigurationError,
    InvalidRecordError,
    InvalidRequiredAcksError,
    InvalidTimestampError,
    InvalidTopicError,
    InvalidTransactionTimeoutError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    SecurityDisabledError,
    UnsupportedCodecError,
    UnsupportedCompressionTypeError,
    UnsupportedForMessageFormatError,
    UnsupportedVersionError,
    for_code,
)

from consumers.errors import Refused

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_ADVICE: tuple[tuple[type[KafkaError], str], ...] = (
    (AuthorizationError, "Give the relay's user the rights that docs/kafka.md lists."),
    (UnsupportedVersionError, "The brokers are too old, or set to an older version: update them."),
    (InvalidTopicError, "The brokers don't accept the topic's name: change the prefix of topics."),
    (PolicyViolationError, "A policy of the cluster refuses it: change the policy."),
    (InvalidConfigurationError, "The brokers refuse a topic's settings: make the topic by hand."),
    (InvalidRecordError, "The topic's settings or the brokers' checks refuse what is sent."),
    (CorruptRecordError, "What is sent arrives damaged: check the network and the topic."),
    (InvalidTransactionTimeoutError, "Set transaction.max.timeout.ms of the brokers to 20000."),
    (InvalidTimestampError, "Set the topic's message.timestamp.* back to its defaults."),
    (UnsupportedCompressionTypeError, "The brokers don't take LZ4: allow it."),
    (UnsupportedCodecError, "The client can't compress with LZ4: install the package lz4."),
    (UnsupportedForMessageFormatError, "Set the topic to the message format of Kafka 2.5."),
    (InvalidRequiredAcksError, "The brokers don't take acks=all."),
    (SecurityDisabledError, "The brokers have no authorizer."),
    (MessageSizeTooLargeError, "A record is larger than the topic takes: raise max.message.bytes."),
    (RecordListTooLargeError, "A batch is larger than a segment: raise the topic's segment.bytes."),
)  # fmt: skip
_CODE = re.compile(r"\[Error (\d+)\]")
_DEPTH_MAX = 5


def refusal_in(error: BaseException) -> Refused | None:
    """Return the refusal that an operator has to resolve; ``None`` for a transient error."""
    for each in _within(error):
        for kind, advice in _ADVICE:
            if isinstance(each, kind):
                name = type(each).__name__
                return Refused(f"The brokers refuse with {name}: {_text(each)} {advice}")
    return None


def is_too_large(error: BaseException | None) -> bool:
    """Return whether a record or a batch was refused for its size."""
    return error is not None and any(isinstance(each, TOO_LARGE) for each in _within(error))


def _within(error: BaseException, depth: int = 0) -> Iterator[BaseException]:
    yield error
    if depth == _DEPTH_MAX:
        return
    for cause in (error.__cause__, *error.args):
        if isinstance(cause, BaseException):
            yield from _within(cause, depth + 1)
        elif isinstance(cause, str):
            yield from (for_code(int(code))() for code in _CODE.findall(cause))


def _text(error: BaseException) -> str:
    text = str(error).removeprefix(f"[Error {getattr(error, 'errno', None)}] ").strip()
    return f"{text.rstrip('.')}."
