"""Forged, replayed and bent things, of which the service must accept none.

Access tokens, ID tokens, logout tokens, sign-ins that belong to another browser, sessions' cookies,
writes from other pages, and approvals of erasures. They are drawn by a seed, each with one thing
wrong; what is right is done before and after, so that a service which refuses everything fails too.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api.http.cookies import COOKIE, CSRF_HEADER
from api.http.roles import Role
from api.sign_in.pending import COOKIE as PENDING
from api.sign_in.provider import LOGOUT_AGE_MAX_S, LOGOUT_EVENT
from bench.bent_tokens import (
    Claims,
    bent_claims,
    bent_signature,
    compact,
    replaced,
    without,
)
from bench.harness import Result, fresh_database, server
from bench.service import START_S, environment_of, free_port, start, until_answers
from bench.willing_provider import WillingProvider
from domain import citizen_id
from ledger.database.connections import connect
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import Settings

THINGS, QUICK_THINGS = 10_000, 1_000
CLIENTS = 4
SEED_VARIABLE = "PERMIT_LEDGER_BENCH_SEED"
AUDIENCE, CLIENT_ID, SECRET = "permit-ledger", "pages", "a-secret-of-the-client"
STATION = "320211-01"
ORDER = {"legal_basis": "个人信息保护法第四十七条", "case": "2026-DP-17"}
OWN_PAGE = {"sec-fetch-site": "same-origin"}
SERVER_ERROR = 500


def bench_forged(console: Console, *, quick: bool) -> None:
    """How many of them were accepted, of each kind."""
    things = QUICK_THINGS if quick else THINGS
    seed = int(os.environ.get(SEED_VARIABLE, random.SystemRandom().getrandbits(32)))
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        settings = Settings(data_dir=folder / "keys", development=True)
        url = stack.enter_context(fresh_database(embedded, "forged"))
        with connect(url) as connection:
            prepare(connection, keys.blind_index(settings), keyring(settings))
        port = free_port()
        provider = stack.enter_context(WillingProvider())
        address = f"http://127.0.0.1:{port}"
        environment = environment_of(settings.data_dir, url, port)
        del environment["PERMIT_LEDGER_DEVELOPMENT"]
        environment |= environment_with(provider, settings.data_dir, address)
        for name in ("project", "api"):
            service = start(name, environment)
            stack.callback(service.wait, START_S)
            stack.callback(service.terminate)
        until_answers(f"{address}/readyz")
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("forged things", total=things)
            with Forger.at(address, provider, seed) as forger:
                started = time.perf_counter()
                forger.send(things, lambda: progress.advance(task))
                _report(console, forger, things / (time.perf_counter() - started))


def environment_with(provider: WillingProvider, folder: Path, address: str) -> dict[str, str]:
    """The settings of a service that trusts the provider; their files are put into ``folder``."""
    roles = "".join(f'{role} = "{role}"\n' for role in Role)
    files = {
        "OIDC_CLAIMS": f'roles_claim = "roles"\n\n[roles]\n{roles}',
        "OIDC_CLIENT_SECRET_FILE": SECRET,
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    settings = {
        "ISSUER": provider.issuer,
        "JWKS": f"{provider.issuer}/jwks",
        "AUDIENCE": AUDIENCE,
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "PUBLIC_URL": address,
        **{name: str(folder / name) for name in files},
    }
    return {f"PERMIT_LEDGER_{name}": value for name, value in settings.items()}


def _report(console: Console, forger: Forger, rate: float) -> None:
    result = Result("forged")
    result.figures = {
        "seed": forger.seed,
        "things": forger.sent.total(),
        "kinds": dict(sorted(forger.sent.items())),
        "accepted": forger.accepted,
        "failures": forger.failures,
        "per_second": round(rate),
    }
    table = Table("", "sent", "accepted", title=f"{forger.sent.total():,} forged things")
    for kind, sent in sorted(forger.sent.items()):
        accepted = sum(each.split(": ")[1] == kind for each in forger.accepted)
        table.add_row(kind, f"{sent:,}", f"{accepted}")
    table.caption = f"seed {forger.seed}; answers 5xx: {len(forger.failures)}; goal: 0 and 0"
    result.show(console, table)
    for line in [*forger.accepted, *forger.failures][:20]:
        console.print(line, markup=False, highlight=False)


Outcome = tuple[httpx.Response, bool]
"""The answer, and whether the service has refused."""


@dataclass(frozen=True)
class Begun:
    """A sign-in that a browser has begun: what the provider was sent, and the browser's cookie."""

    state: str
    nonce: str
    challenge: str
    cookie: str


@dataclass(frozen=True)
class Browser:
    """One that has signed in."""

    session: str
    csrf_token: str
    provider_session: str


@dataclass
class Forger:
    """Sends forged things and keeps what came of them; the same seed draws the same things."""

    address: str
    provider: WillingProvider
    seed: int
    sent: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def at(cls, address: str, provider: WillingProvider, seed: int) -> Iterator[Forger]:
        """Sign in and ask for an erasure; at the end, both must still be as they were."""
        forger = cls(address, provider, seed)
        with httpx.Client(base_url=address, timeout=60) as http:
            forger.victim = forger.signed_in(http, "victim")
            forger.other = forger.signed_in(http, "other")
            forger.holders = forger.erasure_asked_for(http)
            yield forger
            for browser in (forger.victim, forger.other):
                found = http.get("/auth/session", headers=_cookie(browser.session))
                _expect(found, 200)
            approved = forger.approve(http, forger.holders[0], "officer-2", Role.OPERATOR, ORDER)
            _expect(approved, 201)
            _expect(forger.logged_out(http, forger.logout_claims()), 200)
            _expect(http.get("/auth/session", headers=_cookie(forger.victim.session)), 401)

    victim: Browser = field(init=False)
    other: Browser = field(init=False)
    holders: tuple[str, str] = field(init=False)

    def send(self, things: int, progressed: Callable[[], None] = lambda: None) -> None:
        """Send so many, by several clients."""

        def client(numbers: range) -> None:
            with httpx.Client(base_url=self.address, timeout=60) as http:
                for number in numbers:
                    self._one(http, number)
                    progressed()

        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(client, [range(n, things, CLIENTS) for n in range(CLIENTS)]))

    def _one(self, http: httpx.Client, number: int) -> None:
        chance = random.Random(f"{self.seed} {number}")
        kind = chance.choice(list(_KINDS))
        answer, is_refused = _KINDS[kind](self, http, chance)
        line = f"{number}: {kind}: {answer.request.method} {answer.request.url.path}"
        with self._lock:
            self.sent[kind] += 1
            if answer.status_code >= SERVER_ERROR:
                self.failures.append(f"{line}: {answer.status_code}")
            elif not is_refused:
                self.accepted.append(f"{line}: {answer.status_code}")

    # -- what is right -----------------------------------------------------------------------------

    def claims(self, subject: str, role: Role = Role.REGISTRAR, **more: Any) -> Claims:
        """Of an access token for this service."""
        now = int(time.time())
        return {
            "iss": self.provider.issuer,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + 300,
            "roles": [role],
            "station": STATION,
            "scenarios": ["patrol_inspection"],
            "case": ORDER["case"],
            **more,
        }

    def id_claims(self, subject: str, nonce: str) -> Claims:
        return self.claims(subject, aud=CLIENT_ID, nonce=nonce, sid=f"session of {subject}")

    def logout_claims(self) -> Claims:
        """Of a token that ends the victim's session."""
        now = int(time.time())
        return {
            "iss": self.provider.issuer,
            "aud": CLIENT_ID,
            "sub": "victim",
            "sid": self.victim.provider_session,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_hex(8),
            "events": {LOGOUT_EVENT: {}},
        }

    def logged_out(self, http: httpx.Client, claims: Claims) -> httpx.Response:
        return self._logout(http, self.provider.signed(claims))

    def begun(self, http: httpx.Client) -> Begun:
        answer = http.get("/auth/sign-in?next=/counter")
        _expect(answer, 303)
        query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        cookie = answer.cookies[PENDING]
        http.cookies.clear()
        return Begun(query["state"], query["nonce"], query["code_challenge"], cookie)

    def code(self, begun: Begun, id_token: str | None = None, access: str | None = None) -> str:
        """For the tokens given, or for right ones."""
        subject = "victim"
        id_token = id_token or self.provider.signed(self.id_claims(subject, begun.nonce))
        access = access or self.provider.signed(self.claims(subject))
        return self.provider.grant(begun.challenge, id_token, access)

    def back(self, http: httpx.Client, cookies: dict[str, str], **query: str) -> httpx.Response:
        """As the provider sends a browser back."""
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
        answer = http.get("/auth/callback", params=query, headers={"cookie": sent})
        http.cookies.clear()
        return answer

    def signed_in(self, http: httpx.Client, subject: str) -> Browser:
        begun = self.begun(http)
        id_token = self.provider.signed(self.id_claims(subject, begun.nonce))
        code = self.code(begun, id_token, self.provider.signed(self.claims(subject)))
        answer = self.back(http, {PENDING: begun.cookie}, state=begun.state, code=code)
        session = _session_of(answer)
        if session is None:
            raise RuntimeError(f"a right sign-in is refused: {answer.headers.get('location')}")
        found = http.get("/auth/session", headers=_cookie(session))
        _expect(found, 200)
        return Browser(session, found.json()["csrf_token"], f"session of {subject}")

    def erasure_asked_for(self, http: httpx.Client) -> tuple[str, str]:
        """Two holders, the first of whom an officer has asked to erase."""
        bearer = _bearer(self.provider.signed(self.claims("victim")))
        holders = []
        for sequence in (1, 3):
            answer = http.post("/v1/permits", json=_application(sequence), headers=bearer)
            _expect(answer, 201)
            holders.append(answer.json()["holder_id"])
        asked = self.approve(http, holders[0], "officer-1", Role.INVESTIGATOR, ORDER)
        _expect(asked, 202)
        return holders[0], holders[1]

    def approve(
        self, http: httpx.Client, holder: str, officer: str, role: Role, order: dict[str, Any]
    ) -> httpx.Response:
        headers = _bearer(self.provider.signed(self.claims(officer, role)))
        path = f"/v1/audit/holders/{holder}/erasures"
        return http.post(path, json=order, headers=headers)

    # -- what is not -------------------------------------------------------------------------------

    def access_token(self, http: httpx.Client, chance: random.Random) -> Outcome:
        role = chance.choice([Role.REGISTRAR, Role.VERIFIER, Role.INVESTIGATOR])
        claims = self.claims("victim", role)
        own = [
            *(without("sub"), without("exp"), without("roles"), replaced("sub", 7, "", [], "a\n")),
            replaced("aud", CLIENT_ID, [CLIENT_ID]),
            replaced("roles", [], ["admin"], "registrar-", [7], {"registrar": True}, "REGISTRAR"),
            replaced("nbf", int(time.time()) + 3600, "later"),
            replaced("cnf", {}, {"jkt": "A" * 43}, {"x5t#S256": "A" * 43}, None),
        ]
        token = self._bent(chance, claims, own)
        if role is Role.VERIFIER:
            card: dict[str, Any] = {"scenario": "patrol_inspection", "track": "physical"}
            card |= {"permit_number": "000000000000", "card_serial": 1}
            answer = http.post("/v1/verifications", json=card, headers=_bearer(token))
        else:
            path = chance.choice(["/v1/permits/000000000000", "/v1/audit/reads"])
            answer = http.get(path, headers=_bearer(token))
        return answer, answer.status_code == 401

    def id_token(self, http: httpx.Client, chance: random.Random) -> Outcome:
        """In the answer of the token endpoint, as if its connection were not protected."""
        begun = self.begun(http)
        claims, access = self.id_claims("victim", begun.nonce), None
        own = [
            *(without("nonce"), without("sub"), without("exp"), without("iat")),
            replaced("nonce", "", "x" * 32, None, [begun.nonce], begun.state),
            replaced("azp", "another", "", 7),
            replaced("iat", int(time.time()) + 3600),
            lambda _, given: {**given, "aud": [CLIENT_ID, "another"]},
            lambda _, given: {**given, "aud": AUDIENCE},
        ]
        if chance.random() < 0.2:
            token = self.provider.signed(claims)
            access = self.provider.signed(self.claims("another"))  # of another account
        else:
            token = self._bent(chance, claims, own)
        code = self.code(begun, token, access)
        answer = self.back(http, {PENDING: begun.cookie}, state=begun.state, code=code)
        return answer, _session_of(answer) is None

    def sign_in(self, http: httpx.Client, chance: random.Random) -> Outcome:
        """State, code and cookie that do not belong together, or were used before."""
        begun, other = self.begun(http), self.begun(http)
        cookies = {PENDING: begun.cookie}
        query = {"state": begun.state, "code": self.code(begun)}
        match chance.randrange(9):
            case 0:
                query["state"] = chance.choice(["", "x" * 32, other.state, begun.state + "x"])
            case 1:
                query["state"] = _changed(begun.state, chance)
            case 2:
                cookies[PENDING] = _changed(begun.cookie, chance)
            case 3:
                cookies[PENDING] = other.cookie
            case 4:
                cookies = {}
            case 5:
                cookies[PENDING] = chance.choice([self.victim.session, "x" * 200, begun.state])
            case 6:  # a code of another browser's sign-in (RFC 9700 §4.5)
                query["code"] = self.code(other)
            case 7:
                query["iss"] = chance.choice(["https://evil.example", "", self.address])
            case 8:
                self.back(http, cookies, **query)
                if chance.random() < 0.5:  # the code is spent, and one for another sign-in is not
                    query["code"] = self.code(other)
        answer = self.back(http, cookies, **query)
        return answer, _session_of(answer) is None

    def session_cookie(self, http: httpx.Client, chance: random.Random) -> Outcome:
        own = self.victim.session
        made_up = [
            _changed(own, chance),
            own[: chance.randrange(1, len(own))],
            own + chance.choice("AZ09-_=\"'"),
            own.swapcase(),
            f'"{own}"',
            self.victim.csrf_token,
            secrets.token_urlsafe(32),
            "",
            "x" * chance.randrange(1, 6000),
        ]
        cookies = [
            *(f"{COOKIE}={value}" for value in made_up),
            f"{COOKIE}={own}; {COOKIE}={self.other.session}",
            f"{COOKIE}={self.other.session}; {COOKIE}={own}",
            *(f"{name}={own}" for name in (COOKIE.upper(), "permit-ledger", f"x{COOKIE}")),
            f"{'x' * 5000}=1; {COOKIE}={own}",
        ]
        path = chance.choice(["/auth/session", "/v1/permits/000000000000", "/v1/me/permit"])
        headers = {**OWN_PAGE, "cookie": chance.choice(cookies)}
        answer = http.get(path, headers=headers)
        http.cookies.clear()
        return answer, answer.status_code == 401

    def write_of_another_page(self, http: httpx.Client, chance: random.Random) -> Outcome:
        """With the victim's cookie, as a browser sends it for any page."""
        right = {
            CSRF_HEADER: self.victim.csrf_token,
            "origin": self.address,
            "sec-fetch-site": "same-origin",
        }
        host = self.address.removeprefix("http://")
        wrong: dict[str, list[str | None]] = {
            CSRF_HEADER: [
                *(None, "", self.other.csrf_token, self.victim.session, "x" * 43),
                _changed(self.victim.csrf_token, chance),
            ],
            "origin": [
                *(None, "", "null", "https://evil.example", f"https://{host}", f"http://x@{host}"),
                *(f"{self.address}.evil.example", f"{self.address}/", "http://127.0.0.1"),
            ],
            "sec-fetch-site": ["cross-site", "same-site", "none", "", "Same-Origin"],
        }
        for name in chance.sample(list(wrong), chance.randrange(1, 4)):
            right[name] = chance.choice(wrong[name])  # type: ignore[assignment]
        headers = {name: value for name, value in right.items() if value is not None}
        path, body = chance.choice(
            [
                ("/v1/permits/searches", {"citizen_id_number": _number(1)}),
                ("/v1/permits", _application(chance.randrange(5, 900))),
                ("/auth/sign-out", {}),
            ]
        )
        answer = http.post(path, json=body, headers={**headers, **_cookie(self.victim.session)})
        http.cookies.clear()
        return answer, answer.status_code == 403

    def logout_token(self, http: httpx.Client, chance: random.Random) -> Outcome:
        claims = self.logout_claims()
        early = int(time.time()) - LOGOUT_AGE_MAX_S
        own = [
            *(without("jti"), without("events"), without("iat")),
            lambda _, given: {k: v for k, v in given.items() if k not in {"sub", "sid"}},
            replaced("events", None, [], {}, LOGOUT_EVENT, {LOGOUT_EVENT: None}, {"x": {}}),
            replaced("nonce", "x", None),
            replaced("iat", early - 60, early - 10**6, int(time.time()) + 3600, "now"),
            lambda _, given: {**given, "aud": AUDIENCE},
        ]
        if chance.random() < 0.1:  # tokens of other kinds
            others = [self.id_claims("victim", "n"), self.claims("victim")]
            token = self.provider.signed(chance.choice(others))
        elif chance.random() < 0.1:  # used before, to end another account's session
            claims |= {"sub": "gone", "sid": "gone"}
            token = self.provider.signed(claims)
            _expect(self._logout(http, token), 200)
        else:
            token = self._bent(chance, claims, own)
        answer = self._logout(http, token)
        return answer, answer.status_code == 400

    def approval(self, http: httpx.Client, chance: random.Random) -> Outcome:
        """Of an erasure that one officer has asked for."""
        first, second = self.holders
        order: dict[str, Any] = dict(ORDER)
        holder, officer, role = first, "officer-2", Role.OPERATOR
        match chance.randrange(6):
            case 0:  # the same officer, in whatever role
                officer, role = "officer-1", chance.choice([Role.INVESTIGATOR, Role.OPERATOR])
            case 1:
                order["case"] = chance.choice(["2026-DP-18", "2026-DP-1", "2026-dp-17", "x"])
            case 2:
                order["legal_basis"] = chance.choice(["another law", "个人信息保护法第四十八条"])
            case 3:
                order["approvals"] = [["officer-1", "officer-2"], [], "officer-1"][
                    chance.randrange(3)
                ]
            case 4:  # another holder, whom no other officer has asked to erase
                holder = second
            case 5:
                role = chance.choice([Role.REGISTRAR, Role.VERIFIER, Role.SUPERVISOR])
        answer = self.approve(http, holder, officer, role, order)
        return answer, answer.status_code in {202, 403, 409, 422}

    def _logout(self, http: httpx.Client, token: str) -> httpx.Response:
        return http.post("/auth/back-channel-logout", data={"logout_token": token})

    def _bent(self, chance: random.Random, claims: Claims, own: list[Callable[..., Claims]]) -> str:
        key = self.provider.key
        if chance.random() < 0.5:
            return bent_signature(chance, claims, key)
        return compact(bent_claims(chance, claims, own), key)


_KINDS: dict[str, Callable[[Forger, httpx.Client, random.Random], Outcome]] = {
    "access token": Forger.access_token,
    "ID token": Forger.id_token,
    "sign-in": Forger.sign_in,
    "session cookie": Forger.session_cookie,
    "write of another page": Forger.write_of_another_page,
    "logout token": Forger.logout_token,
    "approval": Forger.approval,
}


def _expect(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise RuntimeError(f"{answer.request.url.path}: {answer.status_code}, not {status}")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _cookie(session: str) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={session}"}


def _session_of(answer: httpx.Response) -> str | None:
    """The session that the answer has begun."""
    return answer.cookies.get(COOKIE) or None


def _changed(text: str, chance: random.Random) -> str:
    """Another letter somewhere, but not at the end, whose last bits base64 does not use."""
    place = chance.randrange(len(text) - 1)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    other = chance.choice([letter for letter in letters if letter != text[place]])
    return text[:place] + other + text[place + 1 :]


def _number(sequence: int) -> str:
    return citizen_id.compose("320106", date(1990, 1, 1), sequence)


def _application(sequence: int) -> dict[str, Any]:
    return {
        "holder": {
            "name": "欧阳测试",
            "sex": "1" if sequence % 2 else "2",
            "ethnicity": "01",
            "birth_date": "1990-01-01",
            "citizen_id_number": _number(sequence),
            "hukou_address": "安徽省合肥市蜀山区示例路1号",
        },
        "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
        "residence_registered_on": "2020-01-15",
        "ground": "employment",
    }
