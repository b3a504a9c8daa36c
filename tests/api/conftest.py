"""The real service, started as its users start it, and callers with their tokens."""

import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import psutil
import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry

from domain import citizen_id
from tests.api.id_card_fixtures import accept, arrived, brought, progress, step  # noqa: F401
from tests.api.orders import ORDER, orders
from tests.api.phones import Phone
from tests.api.service import Caller, Json, Service, audit_path
from tests.api.writers import Writers

POLL_S = 0.02


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def make_service(make_service_dir: Callable[[], Path]) -> Iterator[Callable[[], Service]]:
    """Services of the test's own, which it may kill; those that still run are ended with the
    test."""
    made: list[Service] = []

    def make() -> Service:
        made.append(Service(make_service_dir(), free_port()))
        return made[-1]

    yield make
    for service in made:
        service.end()


@pytest.fixture
def running(make_service: Callable[[], Service]) -> Service:
    """A service of the test's own, started; the test may end it."""
    return make_service().start()


@pytest.fixture(scope="session")
def harmed(make_service_dir: Callable[[], Path]) -> Iterator[Service]:
    service = Service(make_service_dir(), free_port())
    yield service
    service.end()


@pytest.fixture
def battered(harmed: Service) -> Service:
    """A service that tests may harm or stop, as long as it recovers or can be started again."""
    return harmed if harmed.is_running() else harmed.start()


@pytest.fixture
def writing(application: Callable[..., Json]) -> Callable[[Service], Writers]:
    """``with writing(service) as writers: …``: clients that issue permits meanwhile."""
    return lambda service: Writers(service, application)


@pytest.fixture(scope="session")
def gone() -> Callable[[list[psutil.Process]], bool]:
    """``gone(processes)``: whether they have ended; zombies count as ended."""

    def has_ended(process: psutil.Process) -> bool:
        try:
            return bool(process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    return lambda processes: all(has_ended(process) for process in processes)


@pytest.fixture(scope="session")
def service(make_service_dir: Callable[[], Path]) -> Iterator[Service]:
    """One service that all tests of a run share; each test uses people of its own."""
    service = Service(make_service_dir(), free_port()).start(has_statistics=True)
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="session")
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def caller(http: httpx.Client) -> Callable[..., Caller]:
    """``caller("verifier", scenarios=[…])``: a caller in a role."""

    return partial(Caller.with_token, http)


@pytest.fixture(scope="session")
def registrar(caller: Callable[..., Caller]) -> Caller:
    return caller("registrar", station="320211-01")


@pytest.fixture(scope="session")
def verifier(caller: Callable[..., Caller]) -> Caller:
    return caller("verifier")


@pytest.fixture(scope="session")
def investigator(caller: Callable[..., Caller]) -> Caller:
    """An investigator, with the rights to restrict and erase."""
    return caller("investigator", case="2026-DP-17")


@pytest.fixture(scope="session")
def supervisor(caller: Callable[..., Caller]) -> Caller:
    """One who supervises investigators: sees the audit reads of all cases."""
    return caller("supervisor", case="2026-S-1")


@pytest.fixture(scope="session")
def operator(caller: Callable[..., Caller]) -> Caller:
    """An operator."""
    return caller("operator")


@pytest.fixture(scope="session")
def signed(service: Service, http: httpx.Client) -> Callable[..., Caller]:
    """``signed(sub="officer-2", exp=0, …)``: a registrar whose token says what the test wants.

    ``key`` and ``header`` replace the development issuer's own; ``None`` leaves a claim out.
    """
    issuer = json.loads((service.data_dir / "keys" / "development-issuer.jwk").read_text())

    def make(key: Any = None, header: Json | None = None, **changes: Any) -> Caller:
        claims = {
            "iss": "permit-ledger-development",
            "aud": "permit-ledger",
            "sub": "officer-1",
            "scope": "permits:write",
            "station": "320211-01",
            "exp": int(time.time()) + 600,
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "ES256", "typ": "JWT"} if header is None else header
        key = ECKey.import_key(issuer) if key is None else key
        registry = JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
        token = jwt.encode(header, claims, key, registry=registry)
        return Caller(http, {"Authorization": f"Bearer {token}"})

    return make


@pytest.fixture
def at(http: httpx.Client) -> Iterator[Callable[[str], None]]:
    """``at("2026-12-20")`` puts the service's clock to nine o'clock of that day, for this test."""

    def set_clock(day: str) -> None:
        instant = day if "T" in day else f"{day}T09:00:00+08:00"
        assert http.put("/v1/dev/clock", json={"now": instant}).status_code == 200

    before = http.get("/v1/dev/clock").json()["now"]
    yield set_clock
    assert http.put("/v1/dev/clock", json={"now": before}).status_code == 200


_people = itertools.count(10)
"""The first few are examples in the documents, and left for those."""


@pytest.fixture(scope="session")
def application() -> Callable[..., Json]:
    """``application(issued_on="2026-01-05", …)``: a new synthetic person each time."""

    def make(
        *,
        birth_date: date = date(1990, 1, 1),
        sex: str = "1",
        name: str = "欧阳测试",
        **changes: Any,
    ) -> Json:
        area, sequence = divmod(next(_people), 499)
        number = citizen_id.compose(
            f"99{area:04d}", birth_date, sequence * 2 + (1 if sex == "1" else 2)
        )
        return {
            "holder": {
                "name": name,
                "sex": sex,
                "ethnicity": "01",
                "birth_date": birth_date.isoformat(),
                "citizen_id_number": number,
                "hukou_address": "安徽省合肥市蜀山区示例路1号",
            },
            "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
            "residence_registered_on": "2020-01-15",
            "ground": "employment",
            **changes,
        }

    return make


@pytest.fixture
def issue(registrar: Caller, application: Callable[..., Json]) -> Callable[..., Json]:
    """``issue(issued_on="2026-01-05")``: a permit, as the registrar got it."""

    def make(**changes: Any) -> Json:
        answer = registrar.post("/v1/permits", application(**changes))
        assert answer.status_code == 201, answer.text
        permit: Json = answer.json()
        return permit

    return make


@pytest.fixture
def act(registrar: Caller) -> Callable[..., Json]:
    """``act(number, "loss-reports")``: what the registrar does, and the permit as it then is."""

    def make(number: str, what: str, **body: Any) -> Json:
        answer = registrar.post(f"/v1/permits/{number}/{what}", body)
        assert answer.status_code == 200, answer.text
        permit: Json = answer.json()
        return permit

    return make


@pytest.fixture
def read(registrar: Caller) -> Callable[..., Json]:
    """``read(permit, "/physical")``: what the views say today, having seen this permit."""

    def make(permit: Json, view: str = "") -> Json:
        path = f"/v1/permits/{permit['permit_number']}{view}"
        answer = registrar.get(path, min_position=permit["as_of_position"])
        assert answer.status_code == 200, answer.text
        seen: Json = answer.json()
        return seen

    return make


@pytest.fixture
def holder_of(caller: Callable[..., Caller]) -> Callable[[Json], Caller]:
    """Whose permit it is."""
    return lambda permit: caller("holder", holder_id=permit["holder_id"])


@pytest.fixture
def phone_of(holder_of: Callable[[Json], Caller]) -> Callable[[Json], Phone]:
    """A phone of the holder's that has claimed the permit."""
    return lambda permit: Phone(holder_of(permit), permit).claim()


@pytest.fixture
def show(verifier: Caller) -> Callable[..., Json]:
    """``show(code)``: the answer to a check of a code; ``by`` is another verifier."""

    def make(
        code: str,
        scenario: str = "patrol_inspection",
        challenge: str | None = None,
        by: Caller = verifier,
    ) -> Json:
        body = {"scenario": scenario, "track": "electronic", "code": code}
        body |= {"challenge": challenge} if challenge else {}
        answer = by.post("/v1/verifications", body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    return make


@pytest.fixture
def check(verifier: Caller) -> Callable[..., Json]:
    """``check(number, card_serial=1)``: the answer to a check of a card."""

    def make(number: str, card_serial: int = 1, scenario: str = "patrol_inspection") -> Json:
        card = {"track": "physical", "permit_number": number, "card_serial": card_serial}
        answer = verifier.post("/v1/verifications", {"scenario": scenario, **card})
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    return make


@pytest.fixture(scope="session")
def signed_claims(http: httpx.Client) -> Callable[..., Json]:
    """``signed_claims(receipt)``: the claims of what the service signed, verified."""

    def verified(compact: str, kind: str = "permit-check-receipt+jwt") -> Json:
        keys = KeySet.import_key_set(http.get("/.well-known/jwks.json").json())
        signed = jws.deserialize_compact(compact, keys, algorithms=["ES256"])
        assert signed.headers()["typ"] == kind
        claims: Json = json.loads(signed.payload)
        return claims

    return verified


@pytest.fixture
def look(investigator: Caller) -> Callable[..., Json]:
    """``look(permit, "state", at=…)``: what an investigator reads about a permit."""

    def make(permit: Json, what: str, **parameters: Any) -> Json:
        answer = investigator.get(audit_path(permit, what), **parameters)
        assert answer.status_code == 200, answer.text
        read_back: Json = answer.json()
        return read_back

    return make


@pytest.fixture
def protect(investigator: Caller) -> Callable[[Json, str], None]:
    """``protect(permit, "restrictions")``: what becomes of its holder's details."""

    def make(permit: Json, what: str) -> None:
        answer = investigator.post(orders(permit, what), ORDER)
        assert answer.status_code == 200, answer.text

    return make


@pytest.fixture
def erase(investigator: Caller, operator: Caller) -> Callable[..., Json]:
    """``erase(permit)``: an operator asks, an investigator approves; the certificate."""

    def make(permit: Json, **headers: str) -> Json:
        asked = operator.post(orders(permit, "erasures"), ORDER)
        assert asked.status_code == 202, asked.text
        answer = investigator.post(orders(permit, "erasures"), ORDER, **headers)
        assert answer.status_code == 201, answer.text
        certificate: Json = answer.json()
        return certificate

    return make


@pytest.fixture(scope="session")
def together() -> Callable[..., list[Any]]:
    """``together(16, ask)``: ``ask(0)`` … ``ask(15)`` in the same instant; what each one got."""

    def make(callers: int, ask: Callable[[int], Any]) -> list[Any]:
        start = Barrier(callers)

        def one(number: int) -> Any:
            start.wait()
            return ask(number)

        with ThreadPoolExecutor(callers) as threads:
            return list(threads.map(one, range(callers)))

    return make


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """``eventually(condition)``: what it gives once that is true; fails after a bound."""

    def make(condition: Callable[[], Any], within_s: float = 180) -> Any:
        deadline = time.monotonic() + within_s
        while not (value := condition()):
            assert time.monotonic() < deadline, f"not within {within_s} s"
            time.sleep(POLL_S)  # polls a condition, with a bound
        return value

    return make
