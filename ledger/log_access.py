"""What a command needs of the log, whoever waits for it: a thread or an event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from domain.permit import Permit

from .append import Append
from .holders import Holder
from .idempotency import Answer
from .recorder import LedgerRecorder

T = TypeVar("T")


class LogAccess(Protocol):
    """Reads and appends; the methods of :class:`~ledger.recorder.LedgerRecorder`, awaitable."""

    async def append(self, append: Append) -> list[int]: ...

    async def permit(self, number: str) -> Permit:
        """
        Raises:
            UnknownPermit
        """
        ...

    async def answers(
        self, caller: str, keys: Sequence[str]
    ) -> dict[str, tuple[bytes, Answer]]: ...

    async def holders(self, citizen_indexes: Iterable[bytes]) -> dict[bytes, Holder]: ...

    async def knows_holder(self, holder_id: str) -> bool: ...

    async def last_position(self, stream: str) -> int | None: ...


class BlockingLog:
    """Access for threads: nothing here is ever pending, see :func:`complete`."""

    def __init__(self, recorder: LedgerRecorder, permit: Callable[[str], Permit]) -> None:
        self._recorder = recorder
        self._permit = permit

    async def append(self, append: Append) -> list[int]:
        return self._recorder.append(append)

    async def permit(self, number: str) -> Permit:
        return self._permit(number)

    async def answers(self, caller: str, keys: Sequence[str]) -> dict[str, tuple[bytes, Answer]]:
        return self._recorder.answers(caller, keys)

    async def holders(self, citizen_indexes: Iterable[bytes]) -> dict[bytes, Holder]:
        return self._recorder.holders(citizen_indexes)

    async def knows_holder(self, holder_id: str) -> bool:
        return self._recorder.knows_holder(holder_id)

    async def last_position(self, stream: str) -> int | None:
        return self._recorder.last_position(stream)


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that awaits only what is never pending, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking command has waited for an event loop")
