"""A task that runs as long as its owner is entered."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class BackgroundTask:
    """Runs :meth:`run` in a task while it is entered; cancels it on leaving."""

    _task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Work without an end; each owner has its own."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
