"""Keys in memory, a few and not for long: what was erased is soon nowhere any more."""

from __future__ import annotations

from threading import Lock, Timer
from typing import Generic, TypeVar

KEYS_MAX = 10_000
GENERATION_S = 0.5

K = TypeVar("K")


class KeyCache(Generic[K]):
    """Holds at most 2 x 10,000 keys, each for at most a second, whether anybody asks or not.

    Two generations under one lock: new keys go into the young one; when it is full or half a second
    old it becomes the old one, and what that held is gone.
    """

    def __init__(self, *, keys_max: int = KEYS_MAX, generation_s: float = GENERATION_S) -> None:
        self._keys_max = keys_max
        self._generation_s = generation_s
        self._lock = Lock()
        self._young: dict[str, K] = {}
        self._old: dict[str, K] = {}
        self._timer: Timer | None = None

    def get(self, name: str) -> K | None:
        with self._lock:
            return self._young.get(name) or self._old.get(name)

    def put(self, name: str, key: K) -> None:
        with self._lock:
            if len(self._young) >= self._keys_max:
                self._young, self._old = {}, self._young
            self._young[name] = key
            if self._timer is None:
                self._start_timer()

    def forget(self, name: str) -> None:
        with self._lock:
            self._young.pop(name, None)
            self._old.pop(name, None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._young) + len(self._old)

    def _age(self) -> None:
        with self._lock:
            self._young, self._old = {}, self._young
            self._timer = None
            if self._old:
                self._start_timer()

    def _start_timer(self) -> None:
        self._timer = Timer(self._generation_s, self._age)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # no thread to be had: what can't be forgotten later is forgotten now
            self._young, self._old, self._timer = {}, {}, None
