"""Clients under whose writes the service is killed."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.api.service import Json, Service

WRITERS = 8
PAUSE_S = 0.05


class Writers:
    """Threads that issue one permit after another, each under a key, until they are stopped.

    ``acknowledged`` holds every permit that was answered; ``open`` the application, key and status
    (``None`` without a response) of every request that was not granted.
    """

    def __init__(self, service: Service, application: Callable[..., Json]) -> None:
        self._service, self._application = service, application
        self._registrar = service.caller("registrar").headers
        self._stop = Event()
        self.acknowledged: list[Json] = []
        self.open: list[tuple[Json, str, int | None]] = []
        self._threads = [Thread(target=self._write) for _ in range(WRITERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def have(self, more: int) -> Callable[[], bool]:
        """A condition: so many more permits were acknowledged from now on."""
        wanted = len(self.acknowledged) + more
        return lambda: len(self.acknowledged) >= wanted

    def missing(self) -> Json:
        """Permits that were acknowledged and are not in the views with their version."""
        acknowledged = {p["permit_number"]: p["version"] for p in self.acknowledged}
        rows = self._service.rows("SELECT permit_number, version FROM views.permits")
        return dict(acknowledged.items() - set(rows))

    def _write(self) -> None:
        with httpx.Client(base_url=self._service.url, timeout=30) as http:
            while not self._stop.is_set():
                person, key = self._application(), str(uuid4())
                headers = {**self._registrar, "Idempotency-Key": key}
                try:
                    answer = http.post("/v1/permits", json=person, headers=headers)
                except httpx.TransportError:
                    self._note_failure(person, key, None)
                    continue
                if answer.status_code == httpx.codes.CREATED:
                    self.acknowledged.append(answer.json())
                else:
                    self._note_failure(person, key, answer.status_code)

    def _note_failure(self, person: Json, key: str, status: int | None) -> None:
        self.open.append((person, key, status))
        self._stop.wait(PAUSE_S)  # the service may be away: no need to hammer it
