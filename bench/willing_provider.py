"""An OpenID provider that signs what it is given: honest sign-ins, and whatever an attacker wants.

It serves its metadata and keys, and exchanges codes for the tokens that were laid down for them,
with the proof of RFC 7636. People don't sign in here: the caller does it for them.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

from api.http.jose import base64url

POLL_S = 0.02
"""How soon the server notices that it has ended."""


@dataclass(frozen=True)
class Grant:
    """What a code is exchanged for, once, by the client that knows the challenge's secret."""

    challenge: str
    tokens: dict[str, str]


@dataclass
class WillingProvider:
    """``with WillingProvider() as provider: …`` serves on a free port of this machine."""

    key: ECKey = field(
        default_factory=lambda: ECKey.generate_key("P-256", {"kid": "own", "use": "sig"})
    )
    _grants: dict[str, Grant] = field(default_factory=dict)

    def __enter__(self) -> WillingProvider:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)

    def grant(self, challenge: str, id_token: str, access_token: str) -> str:
        """A code for these tokens."""
        code = secrets.token_urlsafe(16)
        tokens = {"id_token": id_token, "access_token": access_token, "token_type": "Bearer"}
        self._grants[code] = Grant(challenge, tokens)
        return code

    def exchange(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any] | bytes]:
        """Answer the token endpoint's request (RFC 6749 §4.1.3); bytes are sent as they are."""
        grant = self._grants.pop("".join(form.get("code", [])), None)
        verifier = "".join(form.get("code_verifier", []))
        digest = base64url(hashlib.sha256(verifier.encode()).digest())
        if grant is None or digest != grant.challenge:
            return 400, {"error": "invalid_grant"}
        return 200, {**grant.tokens, "expires_in": 300}

    def metadata(self) -> dict[str, Any] | bytes:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                match self.path:
                    case "/.well-known/openid-configuration":
                        self._answer(200, provider.metadata())
                    case "/jwks":
                        self._answer(200, {"keys": [provider.key.as_dict(private=False)]})
                    case _:
                        self._answer(404, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self._answer(*provider.exchange(parse_qs(body.decode())))

            def _answer(self, status: int, document: dict[str, Any] | bytes) -> None:
                content = document if isinstance(document, bytes) else orjson.dumps(document)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None:
                """The bench reports by itself."""

        return Handler
