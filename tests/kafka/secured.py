"""A broker that accepts only TLS with a login or a certificate.

What they may do there is what docs/kafka.md says.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from consumers.contract.heartbeats import TOPIC as HEARTBEATS
from consumers.contract.kinds import KINDS, PERMITS
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import connection
from tests.kafka.broker import Broker, free_port
from tests.waiting import until

USER, PASSWORD = "relay", "a-long-password"
DELETE_TIMEOUT_S = 60
CLIENT = "client"
"""Of the certificate."""
TOPICS = [*(topic for kind in KINDS for topic in kind.topics), HEARTBEATS]

RIGHTS = {
    USER: [
        (ResourceType.TOPIC, TOPICS, "CREATE DESCRIBE DESCRIBE_CONFIGS READ WRITE"),
        (ResourceType.TRANSACTIONAL_ID, ["permit-ledger-relay"], "DESCRIBE WRITE"),
    ],
    CLIENT: [
        (
            ResourceType.TOPIC,
            [PERMITS.events_topic, HEARTBEATS],
            "DESCRIBE DESCRIBE_CONFIGS READ",
        ),
        (ResourceType.GROUP, ["permit-ledger.views."], "READ"),
    ],
}
"""Names of groups are beginnings."""

SETTINGS = """
listeners=PLAINTEXT://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller},\
LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual}
advertised.listeners=PLAINTEXT://127.0.0.1:{inside},\
LOGIN://127.0.0.1:{login},MUTUAL://127.0.0.1:{mutual}
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,\
LOGIN:SASL_SSL,MUTUAL:SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/
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
    """Settings of an administrative client."""
    login: str
    mutual: str
    ca_file: Path
    client_file: Path
    """Certificate and key."""


def secured(folder: Path) -> Secured:
    """Not started yet."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("broker", CLIENT):
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
        client_file=folder / f"{CLIENT}.pem",
    )


def allow(guarded: Secured) -> None:
    """Everybody what :data:`RIGHTS` says, and no more."""
    with closing(KafkaAdminClient(**connection(Brokers(guarded.inside)))) as admin:
        assert not admin.create_acls([*_acls()])["failed"]


def delete_topics(guarded: Secured) -> None:
    """Returns when none of ours is there any more."""
    with closing(KafkaAdminClient(**connection(Brokers(guarded.inside)))) as admin:
        admin.delete_topics(sorted(set(TOPICS) & set(admin.list_topics())))
        until(lambda: not set(TOPICS) & set(admin.list_topics()), wait_s=DELETE_TIMEOUT_S)


@contextmanager
def denied(
    guarded: Secured, kind: ResourceType, name: str, operation: str
) -> Iterator[Callable[[], None]]:
    """A right that the relay's user has not, until the function is called that this gives, or the
    end."""
    acl = ACL(
        principal=f"User:{USER}",
        host="*",
        operation=ACLOperation[operation],
        permission_type=ACLPermissionType.DENY,
        resource_pattern=ResourcePattern(kind, name, ACLResourcePatternType.LITERAL),
    )
    with closing(KafkaAdminClient(**connection(Brokers(guarded.inside)))) as admin:
        assert not admin.create_acls([acl])["failed"]
        with ExitStack() as stack:
            stack.callback(admin.delete_acls, [acl])
            yield stack.close


def _acls() -> Iterator[ACL]:
    for user, rights in RIGHTS.items():
        for kind, names, operations in rights:
            is_group = kind is ResourceType.GROUP
            matched = (
                ACLResourcePatternType.PREFIXED if is_group else ACLResourcePatternType.LITERAL
            )
            for name in names:
                for operation in operations.split():
                    yield ACL(
                        principal=f"User:{user}",
                        host="*",
                        operation=ACLOperation[operation],
                        permission_type=ACLPermissionType.ALLOW,
                        resource_pattern=ResourcePattern(kind, name, matched),
                    )


def _pkcs8(pem: bytes) -> bytes:
    """The only form of a key that the broker reads."""
    key = load_pem_private_key(pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
