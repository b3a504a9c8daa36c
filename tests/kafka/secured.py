"""A broker that lets nobody in without TLS, and a login or a certificate."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.kafka.broker import Broker, free_port

USER, PASSWORD = "relay", "a-long-password"

SETTINGS = """
listeners=PLAINTEXT://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller},\
LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual}
advertised.listeners=PLAINTEXT://127.0.0.1:{inside},\
LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual}
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,\
LOGIN:SASL_SSL,MUTUAL:SSL
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.login.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


@dataclass(frozen=True)
class Secured:
    """``login`` and ``mutual`` are addresses: for those with a password, for those with a
    certificate. The files are a client's."""

    broker: Broker
    inside: str
    """For looking, by nobody in particular."""
    login: str
    mutual: str
    ca_file: Path
    client_file: Path
    """Certificate and key."""


def secured(folder: Path) -> Secured:
    """Not started yet."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("broker", "client"):
        issued = authority.issue_cert("127.0.0.1", common_name=name)
        certificates = b"".join(each.bytes() for each in issued.cert_chain_pems)
        (folder / f"{name}.pem").write_bytes(_pkcs8(issued.private_key_pem.bytes()) + certificates)
    ports = {name: free_port() for name in ("inside", "controller", "login", "mutual")}
    broker = Broker(
        folder, settings=SETTINGS.format(**ports, folder=folder), users={USER: PASSWORD}
    )
    return Secured(
        broker,
        inside=f"127.0.0.1:{ports['inside']}",
        login=f"127.0.0.1:{ports['login']}",
        mutual=f"127.0.0.1:{ports['mutual']}",
        ca_file=folder / "ca.pem",
        client_file=folder / "client.pem",
    )


def _pkcs8(pem: bytes) -> bytes:
    """The only form of a key that the broker reads."""
    key = load_pem_private_key(pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
