"""Signing in without a browser: addresses are followed and cookies kept as a browser would on this
machine, where it sends ``Secure`` cookies over plain HTTP too."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import httpx

from api.http.cookies import COOKIE
from tests.sign_in.keycloak import PASSWORD

FORM_ACTION = re.compile(r'<form[^>]*action="([^"]+)"')


class Walker:
    """Has cookies for each host and port."""

    def __init__(self, service_url: str) -> None:
        self.url = service_url
        self._http = httpx.Client(timeout=60)
        self._cookies: dict[str, dict[str, str]] = {}

    def ask(self, method: str, address: str, **more: Any) -> httpx.Response:
        """One request, no redirect followed; an address without a host is the service's."""
        url = address if "://" in address else f"{self.url}{address}"
        jar = self._cookies.setdefault(urlsplit(url).netloc, {})
        headers = dict(more.pop("headers", {}))
        if jar:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        answer = self._http.request(method, url, headers=headers, **more)
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    jar.pop(name, None)
                else:
                    jar[name] = morsel.value
        return answer

    @contextmanager
    def listening(self, path: str) -> Iterator[Iterator[str]]:
        """The lines of a stream, with this browser's cookies."""
        jar = self._cookies[urlsplit(self.url).netloc]
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        with self._http.stream("GET", f"{self.url}{path}", headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            yield answer.iter_lines()

    def provider_form(self, next_page: str = "/counter") -> str:
        """Begin to sign in; the address that the provider's form goes to."""
        answer = self.ask("GET", f"/auth/sign-in?next={next_page}")
        form = self.ask("GET", answer.headers["location"])
        found = FORM_ACTION.search(form.text)
        assert found, form.text[:2000]
        return html.unescape(found[1])

    def callback(self, name: str, next_page: str = "/counter") -> str:
        """Sign in at the provider; the address that it sends the browser back to."""
        form = self.provider_form(next_page)
        answer = self.ask("POST", form, data={"username": name, "password": PASSWORD})
        back: str = answer.headers["location"]
        return back

    def sign_in(self, name: str, next_page: str = "/counter") -> str:
        """Where it ends."""
        answer = self.ask("GET", self.callback(name, next_page))
        assert answer.status_code == 303, answer.text
        end: str = answer.headers["location"]
        return end

    @property
    def session_cookie(self) -> str | None:
        return self._cookies.get(urlsplit(self.url).netloc, {}).get(COOKIE)

    @session_cookie.setter
    def session_cookie(self, value: str) -> None:
        self._cookies.setdefault(urlsplit(self.url).netloc, {})[COOKIE] = value

    def session(self) -> dict[str, Any]:
        answer = self.ask("GET", "/auth/session")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """As the pages' scripts send it; ``headers`` replace theirs."""
        own = {"origin": self.url, "sec-fetch-site": "same-origin"}
        if "x_csrf_token" not in headers:
            own["x-csrf-token"] = self.session()["csrf_token"]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, json=body or {}, headers={**own, **named})
