"""Kafka's brokers, and how to connect: in the clear, over TLS, with a user."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SASL_MECHANISM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Tls:
    """``ca_file`` has the certificates that the brokers' are checked against; the others are what
    this client shows, where the brokers ask for that. All are PEM."""

    ca_file: Path
    certificate_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """Of SASL."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Brokers:
    """``addresses`` as ``host:port,host:port``. A login goes over TLS only."""

    addresses: str
    tls: Tls | None = None
    login: Login | None = None

    @property
    def servers(self) -> list[str]:
        return [address.strip() for address in self.addresses.split(",") if address.strip()]

    @property
    def options(self) -> dict[str, Any]:
        """As the client library calls them."""
        options: dict[str, Any] = {"bootstrap_servers": self.servers}
        if self.tls:
            options |= {
                "security_protocol": "SSL",
                "ssl_cafile": str(self.tls.ca_file),
                "ssl_certfile": self.tls.certificate_file and str(self.tls.certificate_file),
                "ssl_keyfile": self.tls.key_file and str(self.tls.key_file),
            }
        if self.login:
            options |= {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": SASL_MECHANISM,
                "sasl_plain_username": self.login.user,
                "sasl_plain_password": self.login.password,
            }
        return options
