"""How to connect to Kafka, from the settings."""

from __future__ import annotations

import ssl
from pathlib import Path

from consumers.kafka.brokers import Brokers, Login, Tls
from permit_ledger.keys.files import UnusableKey
from permit_ledger.settings import Settings


def brokers_of(settings: Settings) -> Brokers | None:
    """Return the connection options; ``None`` without Kafka.

    Raises:
        OSError: a file can't be read.
        UnusableKey: a file holds something else.
    """
    if settings.kafka is None:
        return None
    tls = login = None
    if settings.kafka_ca_file:
        tls = Tls(settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file)
        _require_usable(tls)
    if settings.kafka_user and settings.kafka_password_file:
        login = Login(settings.kafka_user, _password(settings.kafka_password_file))
    return Brokers(settings.kafka, tls, login)


def _password(file: Path) -> str:
    try:
        password = file.read_text("utf-8").strip()
    except UnicodeDecodeError:
        password = ""
    if not password or "\n" in password:
        raise UnusableKey(f"{file} has no password: one line of text")
    return password


def _require_usable(tls: Tls) -> None:
    """Check the files before a client retries for ever."""
    for file in filter(None, (tls.ca_file, tls.certificate_file, tls.key_file)):
        file.read_bytes()
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except ssl.SSLError:
        raise UnusableKey(f"{tls.ca_file} has no certificates (PEM)") from None
    if tls.certificate_file:
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password="")
        except ssl.SSLError:
            message = f"{tls.certificate_file} has no certificate that goes with its key (PEM)"
            raise UnusableKey(message) from None
