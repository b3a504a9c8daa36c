"""``kill -9`` under a stream of checks: answered checks are recorded, used codes stay used."""

import itertools
import random
import threading
from uuid import UUID

import httpx
import pytest

from tests.api.phones import Phone

CLIENTS = 8
KILLS = 2
ANSWERED_MIN = 30
"""Checks that go through between two kills, at least."""


class Stream:
    """Clients that check cards and new codes alternately, until the service is gone."""

    def __init__(self, service, verifier, phones):
        self._service, self._headers, self._phones = service, verifier.headers, phones
        self._lock = threading.Lock()
        self.answered = []
        self.shown = {}
        """Every code that was sent, and what each time was answered."""
        self._threads = [threading.Thread(target=self._check, args=(n,)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def join(self):
        for thread in self._threads:
            thread.join()

    def _check(self, n):
        phone = self._phones[n % len(self._phones)]
        with httpx.Client(base_url=self._service.url, timeout=30) as http:
            try:
                for turn in itertools.count():
                    self._one(http, phone, turn)
            except httpx.TransportError:
                return

    def _one(self, http, phone, turn):
        body = {"scenario": "patrol_inspection"}
        if turn % 2:
            body |= {"track": "electronic", "code": (code := phone.code())}
            self.shown[code] = []
        else:
            body |= {"track": "physical", "permit_number": phone.number, "card_serial": 1}
        answer = http.post("/v1/verifications", json=body, headers=self._headers)
        assert 200 == answer.status_code, answer.text
        found = answer.json()
        with self._lock:
            self.answered.append((UUID(found["check_id"]), found["outcome"]))
        if turn % 2:
            self.shown[code].append(found["outcome"])


@pytest.fixture
def chance():
    return random.Random(7)  # noqa: S311  chance, not secrecy


def test_every_answered_check_is_recorded(make_service, application, chance, eventually):
    """After each kill: without gaps, complete, and no code is effective a second time."""
    service = make_service().start()
    answered, shown = [], {}
    registrar, verifier = service.caller("registrar"), service.caller("verifier")
    permits = [registrar.post("/v1/permits", application()).json() for _ in range(CLIENTS)]
    keys = [None] * CLIENTS
    for kill in range(KILLS):
        phones = []
        for n, permit in enumerate(permits):
            holder = service.caller("holder", holder_id=permit["holder_id"])
            phone = Phone(holder, permit, keys[n])
            keys[n] = phone.key
            phones.append(phone if kill else phone.claim())
        stream = Stream(service, verifier, phones)
        wanted = ANSWERED_MIN + chance.randrange(60)
        eventually(lambda s=stream, w=wanted: len(s.answered) >= w)

        service.kill()
        stream.join()
        answered += stream.answered
        shown |= stream.shown
        service.start()

        rows = service.rows("SELECT check_id, outcome, position FROM ledger.checks ORDER BY 3")
        assert list(range(1, len(rows) + 1)) == [position for _, _, position in rows]
        on_record = {check_id: outcome for check_id, outcome, _ in rows}
        assert [] == [one for one in answered if on_record.get(one[0]) != one[1]]
        revived = [
            code
            for code, outcomes in stream.shown.items()
            if "effective" in outcomes and show(service, verifier, code) == "effective"
        ]
        assert [] == revived
    assert any("effective" in outcomes for outcomes in shown.values())


def show(service, verifier, code):
    body = {"scenario": "patrol_inspection", "track": "electronic", "code": code}
    with httpx.Client(base_url=service.url, timeout=30) as http:
        return http.post("/v1/verifications", json=body, headers=verifier.headers).json()["outcome"]
