"""The real service, started as its users start it, and callers with their tokens."""

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from domain import citizen_id

READY_TIMEOUT_S = 60
Json = dict[str, Any]


@dataclass
class Service:
    """``permit-ledger up --empty`` in a process group of its own."""

    data_dir: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *options: str) -> "Service":
        """Returns once it says that it is ready."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "permit_ledger", "up", "--empty"),
                *("--port", str(self.port), "--data-dir", str(self.data_dir)),
                *options,
            ],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == f"ready {self.url}":
                return self
        raise AssertionError(f"the service ended with {self.process.wait()}")

    def stop(self) -> int:
        """SIGTERM, as an operator would; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(READY_TIMEOUT_S)

    def kill(self) -> None:
        """``kill -9`` of every process of the service, database server included."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        pid_file = self.data_dir / "postgresql" / "postmaster.pid"
        os.kill(int(pid_file.read_text().partition("\n")[0]), signal.SIGKILL)

    def status(self) -> Json:
        """What ``permit-ledger status --json`` says."""
        import json  # noqa: PLC0415

        command = [sys.executable, "-m", "permit_ledger", "status", "--json"]
        run = subprocess.run(
            [*command, "--data-dir", str(self.data_dir)],
            check=True,
            capture_output=True,
            text=True,
        )
        status: Json = json.loads(run.stdout)
        return status


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[[], Service]]:
    """Services of the test's own, which it may kill; what is left of them ends with it."""
    made: list[Service] = []

    def make() -> Service:
        made.append(Service(tmp_path / f"data-{len(made)}", free_port()))
        return made[-1]

    yield make
    for service in made:
        if service.process and service.process.poll() is None:
            service.stop()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service that all tests of a run share; tests keep to people of their own."""
    service = Service(tmp_path_factory.mktemp("service"), free_port()).start()
    yield service
    assert service.stop() == 0


@dataclass
class Caller:
    """Somebody with a token. Every method returns the answer, whatever it is."""

    http: httpx.Client
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.http.get(path, params=parameters, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """``headers`` by their names with underscores: ``idempotency_key="k"``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {} if body is None else body
        return self.http.post(path, json=body, headers={**self.headers, **named})


@pytest.fixture(scope="session")
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def caller(http: httpx.Client) -> Callable[..., Caller]:
    """``caller("verifier", scenarios=[…])``: somebody in a role."""

    def make(role: str, **claims: Any) -> Caller:
        answer = http.post("/v1/dev/tokens", json={"role": role, **claims})
        assert answer.status_code == 200, answer.text
        return Caller(http, {"Authorization": f"Bearer {answer.json()['access_token']}"})

    return make


@pytest.fixture(scope="session")
def registrar(caller: Callable[..., Caller]) -> Caller:
    return caller("registrar", station="320211-01")


@pytest.fixture(scope="session")
def verifier(caller: Callable[..., Caller]) -> Caller:
    return caller("verifier")


@pytest.fixture
def at(http: httpx.Client) -> Iterator[Callable[[str], None]]:
    """``at("2026-12-20")`` puts the service's clock to nine o'clock of that day, for this test."""

    def set_clock(day: str) -> None:
        instant = day if "T" in day else f"{day}T09:00:00+08:00"
        assert http.put("/v1/dev/clock", json={"now": instant}).status_code == 200

    before = http.get("/v1/dev/clock").json()["now"]
    yield set_clock
    assert http.put("/v1/dev/clock", json={"now": before}).status_code == 200


_people = itertools.count()


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


@pytest.fixture(scope="session")
def claim_body() -> Callable[[], Json]:
    """A claim by a new device."""

    def make() -> Json:
        key = ECKey.generate_key("P-256", private=True)
        return {
            "confirmed": True,
            "face_match": {"provider": "test", "score": 0.97, "matched": True},
            "device_key": key.as_dict(private=False),
        }

    return make


def day_after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
