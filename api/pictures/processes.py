"""The processes that decode pictures, from the service's side: a few, started when needed, killed
and replaced when a picture takes too long."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import orjson

from api.http.admission import Admission
from ledger.crypto.portraits import Portrait
from ledger.errors import Unavailable

from .messages import (
    ANSWER_BYTES_MAX,
    DONE,
    HEAD,
    JPEG_FRAME,
    PNG_FRAME,
    PORTRAIT,
    REFUSED,
    NotAPicture,
    is_ours,
)

__all__ = ["NotAPicture", "PictureProcesses", "Reading"]

PROCESSES_MAX = 2
WAITING_MAX = 16
A_CLIENT_MAX = 8
"""Of one account, so that it leaves places to the others."""
ANSWER_S_MAX = 10.0
"""Of a picture in a process; its processor time is limited to less (:mod:`.worker`)."""
REFUSAL_LENGTH_MAX = 100
TOO_COSTLY: Final = "a picture that is decoded in less time is expected"
_FRAMES: Final = {"JPEG": JPEG_FRAME, "PNG": PNG_FRAME}


@dataclass(frozen=True, slots=True)
class Reading:
    """``text`` is that of this service's code; ``other_code``: there are only other codes."""

    text: str | None = None
    other_code: bool = False


class PictureProcesses:
    """Belongs to one event loop. Each process decodes one picture at a time; a few more wait. One
    account never has all processes. What a process answers is not believed: it may have been
    taken over by a picture.

    Raises, each method:
        NotAPicture: the picture can't be decoded, or not within the limits.
        HttpProblem: 429; this account has too many pictures here.
        Unavailable: too many pictures are waiting, or no process can be started.
    """

    def __init__(
        self,
        processes_max: int = PROCESSES_MAX,
        waiting_max: int = WAITING_MAX,
        a_client_max: int = A_CLIENT_MAX,
    ) -> None:
        self._admission = Admission(
            waiting_max,
            "Too many pictures are being read; send the next one later.",
            a_client_max=a_client_max,
        )
        self._free = asyncio.Semaphore(processes_max)
        self._an_account_max = max(processes_max - 1, 1)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    async def read(self, image: bytes, form: str, account: str) -> Reading:
        """Decode the codes in a picture; ``form`` is Pillow's name of its format."""
        answer = await self._ask(_FRAMES[form], image, account)
        with suppress(ValueError):
            match orjson.loads(answer):
                case {"text": None, "other_code": bool(other_code)}:
                    return Reading(None, other_code)
                case {"text": str(text)} if is_ours(text):
                    return Reading(text)
        raise NotAPicture(TOO_COSTLY)

    async def portrait(self, portrait: Portrait, account: str) -> Portrait:
        """The same portrait, of nothing but its pixels."""
        answer = await self._ask(PORTRAIT, portrait.image, account)
        try:
            return Portrait.of(answer)
        except ValueError:
            raise NotAPicture(TOO_COSTLY) from None

    async def close(self) -> None:
        """End all processes."""
        self._idle.clear()
        for process in tuple(self._all):
            await self._end(process)

    async def _ask(self, kind: bytes, content: bytes, account: str) -> bytes:
        turn = self._turns.setdefault(account, asyncio.Semaphore(self._an_account_max))
        with self._admission.place(account):
            async with turn, self._free:
                process = await self._process()
                try:
                    async with asyncio.timeout(ANSWER_S_MAX):
                        status, answer = await _answer(process, kind, content)
                except (TimeoutError, EOFError, OSError):
                    raise NotAPicture(TOO_COSTLY) from None
                else:
                    self._idle.append(process)
                finally:
                    if process not in self._idle:
                        await self._end(process)
        if status != DONE:
            raise NotAPicture(answer.decode("ascii", "replace")[:REFUSAL_LENGTH_MAX])
        return answer

    async def _process(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            await self._end(process)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "api.pictures.worker"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))},
                cwd="/",
            )
        except OSError:
            raise Unavailable("No picture can be read at present: try again.") from None
        self._all.add(process)
        return process

    async def _end(self, process: Process) -> None:
        self._all.discard(process)
        with suppress(ProcessLookupError):
            process.kill()
        if process.stdin:
            process.stdin.close()
        await asyncio.shield(process.wait())


async def _answer(process: Process, kind: bytes, content: bytes) -> tuple[bytes, bytes]:
    """
    Raises:
        EOFError, OSError: the process has ended, or answers what it never should.
    """
    assert process.stdin and process.stdout  # noqa: S101, PT018  both are pipes
    process.stdin.write(HEAD.pack(kind, len(content)) + content)
    await process.stdin.drain()
    status, size = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
    if status not in {DONE, REFUSED} or size > ANSWER_BYTES_MAX:
        raise OSError
    return status, await process.stdout.readexactly(size)
