"""Keycloak for tests, in memory, on a free port of this machine: one process for all test
processes of a run, and in it a realm of the project's for each test module.

Maven fetches it once, and its build step is kept beside it. The last test process that used it ends
it by its process id; :data:`LIFE_S` ends it in any case.
"""

import fcntl
import json
import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.api.conftest import free_port

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REALM_FILE = ROOT / "deploy" / "keycloak" / "permit-ledger-realm.json"
VERSION = "26.5.6"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
DOWNLOAD_TIMEOUT_S = 420
BUILD_TIMEOUT_S = 300
START_TIMEOUT_S = 300
LIFE_S = 3600
POLL_S = 0.2
TOKEN_AGE_S = 45
SECRET = "a client secret of the tests".replace(" ", "-")
PASSWORD = "correct horse battery staple"
ADMIN = "admin"
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC"
BUILT = "built-for-tests"
CHEAP_PASSWORDS = "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"
"""Of the tests' accounts: two dozen sign-ins verify them."""


class NoKeycloak(Exception):
    """Says what is missing, and how to get it."""


def distribution() -> Path:
    """The folder of the program, fetched once.

    Raises:
        NoKeycloak
    """
    for program, package in (("java", "default-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            raise NoKeycloak(f"{program} is missing (Debian: apt install {package})")
    tools = ROOT / ".test-tools"
    folder = tools / f"keycloak-{VERSION}"
    if (folder / BUILT).exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    part = tools / f"keycloak.{os.getpid()}.part"
    sys.stderr.write(f"waiting for Maven to fetch Keycloak (at most {DOWNLOAD_TIMEOUT_S} s)\n")
    command = ["mvn", "-B", "-q", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={part}"]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S
        )
        if done.returncode:
            raise NoKeycloak(f"Maven can't fetch Keycloak: {done.stdout[-500:]}")
        [archive] = part.glob("*.zip")
        with zipfile.ZipFile(archive) as content:
            content.extractall(part)
        _build(part / f"keycloak-{VERSION}")
        (part / f"keycloak-{VERSION}").rename(folder)
    except subprocess.TimeoutExpired as late:
        raise NoKeycloak(f"Keycloak is not there within {late.timeout:.0f} s") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _build(home: Path) -> None:
    """What Keycloak would otherwise do again at each start: it costs as much as the start itself.

    Raises:
        NoKeycloak, subprocess.TimeoutExpired
    """
    command = ["sh", str(home / "bin" / "kc.sh"), "build", "--db=dev-mem", "--cache=local"]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        env={**os.environ, "JAVA_OPTS_APPEND": JAVA_OPTIONS},
    )
    if done.returncode:
        raise NoKeycloak(f"its build fails: {done.stdout[-500:]}{done.stderr[-500:]}")
    (home / BUILT).touch()


def user(name: str, *roles: str, **attributes: str | list[str]) -> dict[str, Any]:
    """An account with :data:`PASSWORD`, roles of the realm, and attributes."""
    return {
        "username": name,
        "enabled": True,
        "firstName": name,
        "lastName": "Test",
        "email": f"{name}@example.org",
        "emailVerified": True,
        "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        "realmRoles": roles,
        "attributes": attributes,
    }


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of the server that all processes with the same ``folder`` share: the first one
    starts it, the last one ends it.

    Each holds a shared lock while it uses the server, which goes with its process however that
    ends.

    Raises:
        NoKeycloak
    """
    state = folder / "keycloak.json"
    with (folder / "keycloak.users").open("a") as users:
        with _alone(folder):
            if not state.exists():
                state.write_text(json.dumps(_started(folder / "keycloak.log")))
            running = json.loads(state.read_text())
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield running["url"]
        finally:
            with _alone(folder), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # only the last one gets it
                state.unlink()
                _end(running["pid"])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "keycloak.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _started(log_file: Path) -> dict[str, Any]:
    with _tools_alone():
        home = distribution()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
        "JAVA_OPTS_APPEND": JAVA_OPTIONS,
    }
    command = [
        *("timeout", str(LIFE_S), "sh", str(home / "bin" / "kc.sh"), "start", "--optimized"),
        *("--cache=local", "--http-enabled=true", "--hostname-strict=false"),
        *("--http-host=127.0.0.1", f"--http-port={port}"),
    ]
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process.pid)
            raise NoKeycloak(f"it does not start: {log_file.read_text()[-1500:]}")
        time.sleep(POLL_S)
    return {"url": url, "pid": process.pid}


@contextmanager
def _tools_alone() -> Iterator[None]:
    """While one test process fetches the program, others of this checkout wait."""
    tools = ROOT / ".test-tools"
    tools.mkdir(exist_ok=True)
    with _alone(tools):
        yield


def _end(process_id: int) -> None:
    """With the processes that its script has started; nothing that it holds is to be kept."""
    with suppress(ProcessLookupError):
        os.killpg(process_id, signal.SIGKILL)


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/realms/master", timeout=5).status_code == 200
    return False


class Keycloak:
    """A realm of its own on the shared server, with the project's settings and these accounts."""

    def __init__(self, url: str, public_url: str, users: Sequence[dict[str, Any]]) -> None:
        self.url = url
        self._realm = f"permit-ledger-{secrets.token_hex(4)}"
        self.issuer = f"{url}/realms/{self._realm}"
        self._token, self._token_at = "", -math.inf
        given = {"PERMIT_LEDGER_CLIENT_SECRET": SECRET, "PERMIT_LEDGER_PUBLIC_URL": public_url}
        text = re.sub(r"\$\{(\w+)\}", lambda found: given[found[1]], REALM_FILE.read_text())
        own = {"realm": self._realm, "users": users, "passwordPolicy": CHEAP_PASSWORDS}
        self._admin("POST", None, {**json.loads(text), **own})

    def id_of(self, name: str) -> str:
        [user] = self._admin("GET", f"/users?username={name}&exact=true")
        found: str = user["id"]
        return found

    def end_sessions(self, name: str) -> None:
        """As an administrator does; Keycloak says so to its clients."""
        self._admin("POST", f"/users/{self.id_of(name)}/logout")

    def rotate_keys(self) -> None:
        """A new key signs from now on; the former ones are gone."""
        [realm] = [self._admin("GET", "")]
        kind = "org.keycloak.keys.KeyProvider"
        former = self._admin("GET", f"/components?type={kind}")
        self._admin(
            "POST",
            "/components",
            {
                "name": "rotated",
                "providerId": "rsa-generated",
                "providerType": kind,
                "parentId": realm["id"],
                "config": {"priority": ["200"], "algorithm": ["RS256"]},
            },
        )
        for one in former:
            if one["providerId"] == "rsa-generated":
                self._admin("DELETE", f"/components/{one['id']}")

    def _admin(self, method: str, path: str | None, body: Any = None) -> Any:
        """A request of the administrator, to the realm's address, or with ``None`` to that of all
        realms."""
        answer = httpx.request(
            method,
            f"{self.url}/admin/realms" + ("" if path is None else f"/{self._realm}{path}"),
            json=body,
            headers={"Authorization": f"Bearer {self._admin_token()}"},
            timeout=60,
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def _admin_token(self) -> str:
        """Asked for once within its life of a minute: passwords are slow to verify."""
        if time.monotonic() - self._token_at > TOKEN_AGE_S:
            asked = {
                "grant_type": "password",
                "client_id": "admin-cli",
                "username": ADMIN,
                "password": PASSWORD,
            }
            url = f"{self.url}/realms/master/protocol/openid-connect/token"
            self._token = httpx.post(url, data=asked, timeout=60).json()["access_token"]
            self._token_at = time.monotonic()
        return self._token
