"""Keycloak for tests, with the realm that the project ships: in memory, on a free port of this
machine.

Maven fetches it once. It is ended by its process id, and by itself after :data:`LIFE_S`.
"""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from tests.api.conftest import free_port

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REALM_FILE = ROOT / "deploy" / "keycloak" / "permit-ledger-realm.json"
VERSION = "26.5.6"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
DOWNLOAD_TIMEOUT_S = 420
START_TIMEOUT_S = 240
LIFE_S = 3600
POLL_S = 0.2
TOKEN_AGE_S = 45
SECRET = "a client secret of the tests".replace(" ", "-")
PASSWORD = "correct horse battery staple"
ADMIN = "admin"
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1"


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
    if folder.exists():
        return folder
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
        with suppress(OSError):  # another process was faster
            (part / f"keycloak-{VERSION}").rename(folder)
    except subprocess.TimeoutExpired as late:
        raise NoKeycloak(f"Maven can't fetch Keycloak within {late.timeout:.0f} s") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


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


class Keycloak:
    """A provider whose only realm is the project's."""

    def __init__(self, folder: Path, public_url: str, users: Sequence[dict[str, Any]]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.issuer = f"{self.url}/realms/permit-ledger"
        self._public_url = public_url
        self._users = users
        self._token, self._token_at = "", -math.inf
        self._log = folder / "keycloak.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Returns when the realm is there."""
        home = distribution()
        environment = {
            **os.environ,
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
            "JAVA_OPTS_APPEND": JAVA_OPTIONS,
        }
        command = [
            *("timeout", str(LIFE_S), "sh", str(home / "bin" / "kc.sh"), "start-dev"),
            *("--db=dev-mem", "--cache=local"),
            *("--http-host=127.0.0.1", f"--http-port={self.port}"),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NoKeycloak(f"it does not start: {self._log.read_text()[-1500:]}")
            time.sleep(POLL_S)
        self._make_realm()
        return self

    def stop(self) -> None:
        """With the processes that its script has started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

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

    def _make_realm(self) -> None:
        given = {
            "PERMIT_LEDGER_CLIENT_SECRET": SECRET,
            "PERMIT_LEDGER_PUBLIC_URL": self._public_url,
        }
        text = re.sub(r"\$\{(\w+)\}", lambda found: given[found[1]], REALM_FILE.read_text())
        self._admin("POST", None, {**json.loads(text), "users": self._users})

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/realms/master", timeout=5).status_code == 200
        return False

    def _admin(self, method: str, path: str | None, body: Any = None) -> Any:
        """A request of the administrator, to the realm's address, or with ``None`` to that of all
        realms."""
        answer = httpx.request(
            method,
            f"{self.url}/admin/realms" + ("" if path is None else f"/permit-ledger{path}"),
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
