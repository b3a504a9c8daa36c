"""Addresses of Kafka's brokers, and how to connect: in plain text, over TLS, with a login."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SASL_MECHANISM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: ``ca_file`` verifies the brokers; the others are this client's certificate and
    key, for brokers that require them."""

    ca_file: Path
    certificate_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A SASL login."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Brokers:
    """``addresses`` as ``host:port,host:port``. A login requires TLS."""

    addresses: str
    tls: Tls | None = None
    login: Login | None = None

    @property
    def servers(self) -> list[str]:
        return [address.strip() for address in self.addresses.split(",") if address.strip()]

    @property
    def options(self) -> dict[str, Any]:
        """The options of the client library."""
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
