"""``permit-ledger demo``: one permit from issue to end against a running service, step by step."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from api.http.jose import base64url
from domain import citizen_id
from domain.calendar import add_months, shanghai_date

TIMEOUT_S = 60
"""The first answer of a busy machine is slow."""
OWN_HOSTS = {"localhost", "::1"}
BIRTH_DATE = date(1990, 1, 1)
ENDORSABLE_AFTER_DAYS = 350
"""A permit issued this long ago is in its endorsement window today."""

PANEL_WIDTH = 38

Json = dict[str, Any]


class DemoFailed(Exception):
    """The service did not answer as expected; the message says how."""


class Demo:
    """Calls the service over HTTP as its users do, each with an own token.

    Raises:
        DemoFailed: ``url`` is not an address.
    """

    def __init__(self, url: str, console: Console) -> None:
        try:
            found = httpx.URL(url)
        except httpx.InvalidURL:
            found = httpx.URL("")
        if found.scheme not in {"http", "https"} or not found.host:
            raise DemoFailed(
                f"{url} is not the address of a service; an example: http://[::1]:8000"
            )
        # No proxy for connections to this machine itself.
        is_own = found.host in OWN_HOSTS or found.host.startswith("127.")
        self._http = httpx.Client(base_url=found, timeout=TIMEOUT_S, trust_env=not is_own)
        self._console = console

    def play(self) -> None:
        """
        Raises:
            DemoFailed
        """
        registrar, verifier = self._token("registrar"), self._token("verifier")
        today = shanghai_date(datetime.fromisoformat(self._get("/v1/dev/clock", registrar)["now"]))
        issued_on = today - timedelta(days=ENDORSABLE_AFTER_DAYS)

        permit = self._post("/v1/permits", registrar, _application(issued_on))
        number, path = permit["permit_number"], f"/v1/permits/{permit['permit_number']}"
        holder = self._token("holder", holder_id=permit["holder_id"])
        show = self._shower(path, registrar)
        show("办证 · issued", f"{issued_on}, so that its endorsement window is open today")

        self._claim(f"{path}/electronic/claims", holder)
        show("申领电子证 · claimed on a phone", "with a live-portrait match")

        self._post(f"{path}/endorsements", registrar, {"card_presented": "card"})
        show("签注 · endorsed", "both tracks, one more year, in one event")

        self._post(f"{path}/loss-reports", registrar, {})
        show("挂失 · card reported lost", "the electronic permit stays effective")
        self._check(verifier, number, card_serial=1)

        self._post(f"{path}/reissues", registrar, {})
        show("补领 · reissued", "the phone shows the new serial in the same instant")
        self._check(verifier, number, card_serial=1)
        self._check(verifier, number, card_serial=2)

        self._post(f"{path}/cancellations", registrar, {"reason": "moved_away"})
        show("注销 · cancelled", "both tracks end at once; history stays")
        self._check(verifier, number, card_serial=2)

    # -- what people see -----------------------------------------------------------------------

    def _shower(self, path: str, token: str) -> Callable[[str, str], None]:
        """Show a step and both views after it."""

        def show(step: str, remark: str) -> None:
            views = [self._get(f"{path}/{track}", token) for track in ("physical", "electronic")]
            self._console.print(f"\n[bold]{step}[/bold] — {remark}")
            columns = Table.grid(padding=(0, 1))
            columns.add_row(_panel("实体 physical", views[0]), _panel("电子 electronic", views[1]))
            self._console.print(columns)

        return show

    def _check(self, token: str, number: str, *, card_serial: int) -> None:
        check = self._post(
            "/v1/verifications",
            token,
            {
                "scenario": "patrol_inspection",
                "track": "physical",
                "permit_number": number,
                "card_serial": card_serial,
            },
        )
        colour = "green" if check["outcome"] == "effective" else "red"
        reason = f" ({check['reason']})" if check["reason"] else ""
        self._console.print(
            f"核验 · an officer checks card {card_serial}:"
            f" [{colour}]{check['outcome']}{reason}[/{colour}]"
        )

    # -- how the service is asked --------------------------------------------------------------

    def _token(self, role: str, **more: str) -> str:
        token: str = self._post("/v1/dev/tokens", None, {"role": role, **more})["access_token"]
        return token

    def _get(self, path: str, token: str) -> Json:
        return self._ask("GET", path, token, None)

    def _post(self, path: str, token: str | None, body: Json) -> Json:
        return self._ask("POST", path, token, body)

    def _claim(self, path: str, token: str) -> None:
        """With a proof by a phone's key (RFC 9449)."""
        key = ECKey.generate_key("P-256", private=True)
        public = key.as_dict(private=False)
        claims = {
            "jti": secrets.token_urlsafe(),
            "htm": "POST",
            "htu": str(self._http.base_url.join(path)),
            "iat": int(time.time()),
            "ath": base64url(hashlib.sha256(token.encode()).digest()),
        }
        proof = jwt.encode({"typ": "dpop+jwt", "alg": "ES256", "jwk": public}, claims, key)
        body = {
            "confirmed": True,
            "face_match": {"provider": "demo", "score": 0.98, "matched": True},
            "device_key": public,
        }
        self._ask("POST", path, token, body, {"DPoP": proof})

    def _ask(
        self,
        method: str,
        path: str,
        token: str | None,
        body: Json | None,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> Json:
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more}
        try:
            answer = self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError:
            raise DemoFailed(
                f"no service answers at {self._http.base_url}: start one with ./dev up,"
                " or name it with --url"
            ) from None
        try:
            document: Json = answer.json()
        except ValueError:
            raise DemoFailed(
                f"what answers at {self._http.base_url} is no permit ledger: name one with --url"
            ) from None
        if not answer.is_success:
            raise DemoFailed(f"{method} {path}: {answer.status_code} {document.get('detail')}")
        return document


def _application(issued_on: date) -> Json:
    """A synthetic person; the sequence is random, so that the demo can be repeated."""
    sequence = secrets.randbelow(500) * 2 + 1
    area = f"99{secrets.randbelow(10_000):04d}"
    return {
        "holder": {
            "name": "欧阳测试",
            "sex": "1",
            "ethnicity": "01",
            "birth_date": BIRTH_DATE.isoformat(),
            "citizen_id_number": citizen_id.compose(area, BIRTH_DATE, sequence),
            "hukou_address": "安徽省合肥市蜀山区示例路1号",
        },
        "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
        "residence_registered_on": add_months(issued_on, -8).isoformat(),
        "ground": "employment",
        "issued_on": issued_on.isoformat(),
    }


def _panel(title: str, view: Json) -> Panel:
    effective = view["effective"]
    lines = [
        f"{view['name']}  {view['permit_number']}",
        f"card serial  {view['card_serial']}",
        f"status       {view['status']}",
        f"valid until  {view['valid_until']}",
        "[green]✔ effective[/green]" if effective else "[red]✘ not effective[/red]",
    ]
    colour = "green" if effective else "red"
    return Panel("\n".join(lines), title=title, border_style=colour, width=PANEL_WIDTH)
