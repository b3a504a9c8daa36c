"""What a command needs of the log, whoever waits for it: a thread or an event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar, cast

from domain.aggregate import Aggregate, DomainEvent
from domain.personal import ERASED
from domain.stream_types import stream_type_of
from ledger.crypto.holder_keys import HolderKey, HolderKeys, Keys, WrappedKey
from ledger.errors import UnreadableEvent

from .append import Append
from .idempotency import Answer
from .recorder import LedgerRecorder
from .registry import Holder, HolderRecord

T = TypeVar("T")


class LogAccess(Protocol):
    """Reads and appends; the methods of :class:`~.recorder.LedgerRecorder`, awaitable."""

    async def append(self, append: Append) -> list[int]: ...

    async def load(self, stream: str) -> Aggregate | None:
        """Whatever lives in a stream, folded from its events; ``None`` where there are none."""
        ...

    async def answers(
        self, caller: str, keys: Sequence[str]
    ) -> dict[str, tuple[bytes, Answer]]: ...

    async def holders(self, citizen_indexes: Iterable[bytes]) -> dict[bytes, Holder]: ...

    async def knows_holder(self, holder_id: str) -> bool: ...

    async def last_position(self, stream: str) -> int | None: ...

    async def holder(self, holder_id: str) -> HolderRecord | None: ...

    async def holder_keys(self, holder_ids: Sequence[str]) -> Keys:
        """The keys of those who have or had one."""
        ...

    async def new_holder_key(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        """A key for somebody new, and what the database is to keep of it."""
        ...

    async def look_for_keks(self) -> None:
        """See which key-encryption keys there are by now."""
        ...


class BlockingLog:
    """Access for threads: nothing here is ever pending, see :func:`complete`."""

    def __init__(
        self,
        recorder: LedgerRecorder,
        aggregate: Callable[[str], Aggregate | None],
        keys: HolderKeys,
    ) -> None:
        self._recorder = recorder
        self._life = aggregate
        self._keys = keys

    async def append(self, append: Append) -> list[int]:
        return self._recorder.append(append)

    async def load(self, stream: str) -> Aggregate | None:
        return self._life(stream)

    async def answers(self, caller: str, keys: Sequence[str]) -> dict[str, tuple[bytes, Answer]]:
        return self._recorder.answers(caller, keys)

    async def holders(self, citizen_indexes: Iterable[bytes]) -> dict[bytes, Holder]:
        return self._recorder.holders(citizen_indexes)

    async def knows_holder(self, holder_id: str) -> bool:
        return self._recorder.knows_holder(holder_id)

    async def last_position(self, stream: str) -> int | None:
        return self._recorder.last_position(stream)

    async def holder(self, holder_id: str) -> HolderRecord | None:
        return self._recorder.holder(holder_id)

    async def holder_keys(self, holder_ids: Sequence[str]) -> Keys:
        return self._keys.of(holder_ids, self._recorder.holder_keys)

    async def new_holder_key(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        return self._keys.new(holder_id)

    async def look_for_keks(self) -> None:
        self._keys.keyring.reload()


def folded(events: Iterable[DomainEvent]) -> Aggregate | None:
    """What they make.

    Raises:
        UnreadableEvent: they are not all of one lifecycle.
    """
    aggregate: Aggregate | None = None
    expected: type[DomainEvent] = DomainEvent
    for event in events:
        if not isinstance(event, expected):
            raise UnreadableEvent(
                f"version {event.originator_version} of {event.originator_id} is of another"
                " lifecycle than those before it"
            )
        if aggregate is None:
            aggregate = cast("Aggregate", event.mutate(None))
            expected = stream_type_of(aggregate).event
        else:
            event.mutate(cast("Any", aggregate))
    return aggregate


def was_erased_meanwhile(aggregate: Aggregate | None) -> bool:
    """Whether the holder was erased after the events were read and before the key was: the last
    event, which says so, is there by now."""
    return aggregate is not None and aggregate.identity is ERASED and not aggregate.erased


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that awaits only what is never pending, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking command has waited for an event loop")
