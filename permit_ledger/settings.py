"""Every setting of the service, from ``PERMIT_LEDGER_*`` in the environment."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.http.addresses import bare_host, local_url

DEFAULT_POLICY = "wuxi-2026"
DEVELOPMENT_ISSUER = "permit-ledger-development"
_NAME = re.compile(r"[!#-\[\]-~]+")
"""Of a value that a challenge quotes (RFC 9470 §3, RFC 6749 §A.4)."""


class Settings(BaseSettings):
    """Settings of an operator. Relative paths are resolved against the working directory."""

    model_config = SettingsConfigDict(env_prefix="PERMIT_LEDGER_", extra="ignore")

    data_dir: Path = Field(
        Path("data"), description="Folder of the keys and of the embedded database"
    )
    database_url: str | None = Field(
        None, description="PostgreSQL, as `postgresql://…`; if unset, the embedded server"
    )
    host: str = Field(
        "127.0.0.1",
        description="Address or name that the API listens on; an IPv6 address with or without"
        " brackets. `0.0.0.0` is all of IPv4, `::` all of IPv6 and IPv4",
    )
    port: int = Field(8000, ge=1, le=65535, description="Port that the API listens on")
    development: bool = Field(
        False,
        description="Development mode: issue tokens to anyone, let the clock be set, accept citizen"
        " ID numbers of area 99",
    )
    issuer: str | None = Field(None, description="`iss` of the tokens to trust")
    audience: str = Field("permit-ledger", description="`aud` of the tokens to trust")
    jwks: str | None = Field(
        None, description="Public keys of the issuer, as a JWKS: a file or an https address"
    )
    oidc_issuer: str | None = Field(
        None,
        pattern=r"^https?://[^\s#?]+$",
        max_length=300,
        description="OpenID provider that people sign in at, its `issuer`; if unset, pages ask for"
        " a token",
    )
    oidc_client_id: str | None = Field(
        None, max_length=200, description="This service's client at the provider"
    )
    oidc_client_secret_file: Path | None = Field(
        None, description="File with the client's secret on one line"
    )
    oidc_claims: Path | None = Field(
        None,
        description="What the claims of tokens mean: a `.toml` file, see docs/sign-in.md; if unset,"
        " tokens have this service's own claims",
    )
    step_up_acr: str = Field(
        "face",
        max_length=1000,
        description="Values of `acr` that mean a compared face, separated by spaces, in order"
        " of preference; see docs/sign-in.md",
    )
    step_up_amr: str = Field(
        "face",
        max_length=1000,
        description="Values of `amr` (RFC 8176) that mean the same, separated by spaces",
    )
    face_provider: Path | None = Field(
        None,
        description="Who signs assertions of face matches, its issuer and keys: a `.toml` file, see"
        " docs/sign-in.md; if unset, only a sign-in proves a face match",
    )
    session_key_file: Path | None = Field(
        None,
        description="Key of the sessions of pages, 32 bytes in hex, the same for all API processes;"
        " if unset, `keys/sessions.key` in the data folder",
    )
    policy: str = Field(
        DEFAULT_POLICY, description="Name of a bundled policy, or path of a policy's `.toml` file"
    )
    blind_index_key_file: Path | None = Field(
        None,
        description="Key of the blind indexes, 32 bytes in hex;"
        " if unset, `keys/blind-index.key` in the data folder",
    )
    display_code_key_file: Path | None = Field(
        None,
        description="Key of the display codes, 32 bytes in hex;"
        " if unset, `keys/display-codes.key` in the data folder",
    )
    card_code_key_file: Path | None = Field(
        None,
        description="Key of the codes on cards' faces, 32 bytes in hex; it can never be changed;"
        " if unset, `keys/card-codes.key` in the data folder",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[a-z0-9.:\[\]-]+$",
        max_length=100,
        description="Origin by which callers reach the service, as `https://permits.example`;"
        " requests under other names than its host and this machine's own are refused;"
        " if unset, `http://` with host and port (`http://[::1]:8000`), and in development mode the"
        " host that the request names, which must be this machine's",
    )
    trusted_proxies: str | None = Field(
        None,
        max_length=1000,
        description="Addresses and networks of reverse proxies, as `10.0.0.2,10.1.0.0/16`, whose"
        " `X-Forwarded-For` and `X-Forwarded-Proto` are believed; if unset, no one's are",
    )
    metrics_token_file: Path | None = Field(
        None,
        description="File with the bearer token that `/metrics` asks for; if unset, only programs"
        " on this machine are answered, and none where a proxy or a public URL is configured",
    )
    checks_per_verifier_per_minute: int = Field(
        30_000,
        ge=1,
        le=10_000_000,
        description="Checks by one account, in each API process; more are answered 429",
    )
    permits_per_verifier_per_hour: int = Field(
        8000,
        ge=1,
        le=10_000_000,
        description="Different permits that one account may check by card, in all scenarios"
        " together and in each API process; more are answered 429. The policy's `permits_per_hour`"
        " has a budget for each scenario",
    )
    checks_per_permit_per_minute: int = Field(
        600,
        ge=1,
        le=10_000_000,
        description="Checks of one permit's card, and display codes made for one permit;"
        " more are answered 429",
    )
    frames_per_verifier_per_minute: int = Field(
        1200,
        ge=1,
        le=10_000_000,
        description="Camera pictures by one account whose codes the service decodes, in each API"
        " process; more are answered 429",
    )
    fruitless_per_account_per_minute: int = Field(
        3000,
        ge=1,
        le=1_000_000,
        description="Requests by one account that were refused or changed nothing, and are on"
        " record: attempts of registrars, audit reads, checks without the right; in each API"
        " process, more are answered 429 and not recorded",
    )
    progress_per_client_per_minute: int = Field(
        120,
        ge=1,
        le=1_000_000,
        description="Requests for an application's progress from one address, in each API process;"
        " more are answered 429",
    )
    backup_retention_days: int = Field(
        35,
        ge=0,
        le=3650,
        description="How long copies of the database are kept; an erasure certificate states until"
        " when they may still hold the destroyed key",
    )
    receipt_key_file: Path | None = Field(
        None,
        description="Keys that sign receipts: a JWK on P-256, or a set of them;"
        " if unset, `keys/receipts.jwk` in the data folder",
    )
    key_encryption: str | None = Field(
        None,
        description="Hardware token that wraps holder keys, as `pkcs11:…`;"
        " if unset, `keys/key-encryption` in the data folder",
    )
    origin: str = Field(
        "localhost/permit-ledger",
        pattern=r"^[a-z0-9.:-]+(/[A-Za-z0-9._~-]+)*$",
        max_length=100,
        description="Name of the transparency log, its address without a scheme;"
        " it can never be changed",
    )
    log_key_file: Path | None = Field(
        None,
        description="Keys that sign the transparency log;"
        " if unset, `keys/log.keys` in the data folder",
    )
    log_verifiers_file: Path | None = Field(
        None,
        description="Verifier keys of the transparency log, for an API on a machine that does not"
        " hold the signing keys; if unset, the signing keys are used",
    )
    manifest_interval_s: float = Field(
        600,
        ge=1,
        le=86_400,
        description="How often the last event of every permit is recorded in the manifests tree",
    )
    witness_policy: Path | None = Field(
        None,
        description="Witnesses that cosign the trees, in the format of C2SP tlog-policy;"
        " if unset, there are none",
    )
    witness_interval_s: float = Field(
        10,
        ge=0.1,
        le=86_400,
        description="How often witnesses are asked to cosign, when the tree has grown",
    )
    kafka: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.\[\]:_-]+:[0-9]{1,5}( *, *[A-Za-z0-9.\[\]:_-]+:[0-9]{1,5})*$",
        max_length=1000,
        description="Kafka brokers, as `host:port,host:port`; if unset, nothing is published",
    )
    kafka_ca_file: Path | None = Field(
        None,
        description="CA certificates that the brokers' certificates are verified against, PEM;"
        " if unset, connections do not use TLS",
    )
    kafka_certificate_file: Path | None = Field(
        None, description="Client certificate for brokers that ask for one, PEM; with its key"
    )
    kafka_key_file: Path | None = Field(
        None,
        description="Key of the client certificate, PEM; if unset, the certificate file holds it",
    )
    kafka_user: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="User for SASL (SCRAM-SHA-512); over TLS only",
    )
    kafka_password_file: Path | None = Field(
        None, description="File with the user's password on one line"
    )
    kafka_topic_prefix: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=50,
        description="Prefix of the names of topics and of the relay's transactions, where several"
        " ledgers share a cluster",
    )
    analytics_dir: Path | None = Field(
        None,
        description="Folder of the statistics and of what is published of them;"
        " if unset, `analytics` in the data folder",
    )
    analytics_memory_mb: int = Field(
        48, ge=8, le=65_536, description="Page cache of the file of the `analytics` role"
    )
    analytics_share: float = Field(
        0.3,
        ge=0.001,
        le=1,
        description="Share of a processor that the `analytics` role may take for answers and"
        " charts; the smaller, the later they show what was counted",
    )
    database_connections_max: int = Field(
        8,
        ge=2,
        le=200,
        description="Database connections for commands, and as many again for reads",
    )
    min_position_wait_s: float = Field(
        2.0,
        gt=0,
        le=30,
        description="How long a read waits for the views to reach the `min_position` it asks for",
    )
    check_wait_s: float = Field(
        0.1,
        gt=0,
        le=10,
        description="How long a check, or a read of one permit, waits for the views before it reads"
        " the log itself",
    )
    list_wait_s: float = Field(
        0.5,
        gt=0,
        le=10,
        description="How long a list or search waits for the views to have the newest writes before"
        " it answers from the views as they are",
    )
    ready_lag_events_max: int = Field(
        1000,
        ge=0,
        description="How many events the views may be behind while `/readyz` reports ready",
    )
    audit_permits_per_s: int = Field(
        5,
        ge=0,
        le=1000,
        description="Permits that the auditor picks at random, folds from the log and compares with"
        " the views; `0` turns it off",
    )
    start_timeout_s: float = Field(
        300,
        ge=1,
        le=86_400,
        description="How long a start may make no progress before it is given up;"
        " a start that makes progress may take as long as it needs",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged, to standard error"
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="Format of the service's log: `json` for machines, `console` for people"
    )

    @field_validator("host")
    @classmethod
    def _one_host(cls, host: str) -> str:
        """Remove the brackets that an IPv6 address has in a URL."""
        try:
            return bare_host(host)
        except ValueError as error:
            raise ValueError(f"{error}: PERMIT_LEDGER_HOST is one address or name") from None

    @field_validator("step_up_acr", "step_up_amr")
    @classmethod
    def _names(cls, given: str) -> str:
        if not all(_NAME.fullmatch(name) for name in given.split()):
            raise ValueError("values are printable ASCII without quotes and backslashes")
        return " ".join(given.split())

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, given: str | None) -> str | None:
        try:
            networks = [str(ip_network(each.strip())) for each in given.split(",")] if given else []
        except ValueError as error:
            raise ValueError(
                f"PERMIT_LEDGER_TRUSTED_PROXIES lists addresses and networks: {error}"
            ) from None
        return ",".join(networks) or None

    @model_validator(mode="after")
    def _one_issuer(self) -> Settings:
        if self.development and self.issuer:
            raise ValueError(
                "PERMIT_LEDGER_DEVELOPMENT and PERMIT_LEDGER_ISSUER exclude each other:"
                " a service that trusts a real issuer must not issue tokens itself"
            )
        if self.issuer and not self.jwks:
            raise ValueError("PERMIT_LEDGER_ISSUER needs PERMIT_LEDGER_JWKS, its public keys")
        return self

    @model_validator(mode="after")
    def _whole_provider(self) -> Settings:
        named = ("oidc_issuer", "oidc_client_id", "oidc_client_secret_file", "oidc_claims")
        missing = [f"PERMIT_LEDGER_{name.upper()}" for name in named if not getattr(self, name)]
        if self.oidc_issuer is None:
            return self
        if missing:
            raise ValueError(f"PERMIT_LEDGER_OIDC_ISSUER also needs {' and '.join(missing)}")
        if self.development:
            raise ValueError(
                "PERMIT_LEDGER_DEVELOPMENT and PERMIT_LEDGER_OIDC_ISSUER exclude each other:"
                " in development mode everyone signs in as anyone"
            )
        if self.public_url is None:
            raise ValueError(
                "PERMIT_LEDGER_OIDC_ISSUER needs PERMIT_LEDGER_PUBLIC_URL, the address that the"
                " provider sends browsers back to"
            )
        if self.oidc_client_id == self.audience:
            raise ValueError(
                "PERMIT_LEDGER_OIDC_CLIENT_ID and PERMIT_LEDGER_AUDIENCE must differ: otherwise an"
                " ID token would pass for an access token"
            )
        return self

    @model_validator(mode="after")
    def _whole_kafka(self) -> Settings:
        given = {name: getattr(self, f"kafka_{name}") for name in ("certificate_file", "user")}
        if self.kafka_ca_file is None and any(given.values()):
            raise ValueError(
                "PERMIT_LEDGER_KAFKA_CERTIFICATE_FILE and PERMIT_LEDGER_KAFKA_USER need"
                " PERMIT_LEDGER_KAFKA_CA_FILE: neither may be sent without TLS"
            )
        if (self.kafka_user is None) != (self.kafka_password_file is None):
            raise ValueError(
                "PERMIT_LEDGER_KAFKA_USER and PERMIT_LEDGER_KAFKA_PASSWORD_FILE need each other"
            )
        if self.kafka_key_file and not self.kafka_certificate_file:
            raise ValueError(
                "PERMIT_LEDGER_KAFKA_KEY_FILE needs PERMIT_LEDGER_KAFKA_CERTIFICATE_FILE"
            )
        return self

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"

    @property
    def tree_dir(self) -> Path:
        """Folder of the last signed checkpoints."""
        return self.data_dir / "tree"

    @property
    def source(self) -> str:
        """URI of this ledger, the `source` of every event that it publishes."""
        return f"https://{self.origin}"

    @property
    def statistics_dir(self) -> Path:
        return self.analytics_dir or self.data_dir / "analytics"

    @property
    def published_dir(self) -> Path:
        """Folder of the published statistics."""
        return self.statistics_dir / "published"

    @property
    def believed_issuer(self) -> str | None:
        """`iss` of the tokens that the service believes; ``None`` where it believes none."""
        return self.issuer or (DEVELOPMENT_ISSUER if self.development else None)

    @property
    def url(self) -> str:
        """Address of the API on this machine."""
        return local_url(self.host, self.port)
