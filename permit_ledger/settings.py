"""Every setting of the service, from ``PERMIT_LEDGER_*`` in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.http.addresses import bare_host, local_url

DEFAULT_POLICY = "wuxi-2026"
DEVELOPMENT_ISSUER = "permit-ledger-development"


class Settings(BaseSettings):
    """What an operator may set. Paths that are not absolute are taken from the working folder."""

    model_config = SettingsConfigDict(env_prefix="PERMIT_LEDGER_", extra="ignore")

    data_dir: Path = Field(Path("data"), description="keys, and the embedded database")
    database_url: str | None = Field(
        None, description="PostgreSQL, as `postgresql://…`; none: the embedded server"
    )
    host: str = Field(
        "127.0.0.1",
        description="address or name that the API listens on; `0.0.0.0`: all of IPv4,"
        " `::`: all of IPv6 and IPv4",
    )
    port: int = Field(8000, ge=1, le=65535, description="port that the API listens on")
    development: bool = Field(
        False, description="issue tokens to anyone, let the clock be set, accept area 99"
    )
    issuer: str | None = Field(None, description="`iss` of the tokens to trust")
    audience: str = Field("permit-ledger", description="`aud` of the tokens to trust")
    jwks: str | None = Field(None, description="the issuer's JWKS: a file, or an https address")
    policy: str = Field(DEFAULT_POLICY, description="name of a policy, or path of its `.toml` file")
    blind_index_key_file: Path | None = Field(
        None, description="32 bytes, hex; none: `keys/blind-index.key` in the data folder"
    )
    display_code_key_file: Path | None = Field(
        None, description="32 bytes, hex; none: `keys/display-codes.key` in the data folder"
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[a-z0-9.:\[\]-]+$",
        max_length=100,
        description="origin by which callers know the service; none: `http://` host and port,"
        " in development mode what a request says",
    )
    checks_per_verifier_per_minute: int = Field(
        30_000, ge=1, le=10_000_000, description="of one account, in each API process; then 429"
    )
    checks_per_permit_per_minute: int = Field(
        600, ge=1, le=10_000_000, description="of one permit's card, and codes for it; then 429"
    )
    progress_per_client_per_minute: int = Field(
        120,
        ge=1,
        le=1_000_000,
        description="questions how an application is doing, by one address; then 429",
    )
    backup_retention_days: int = Field(
        35, ge=0, le=3650, description="how long copies of the database are kept"
    )
    receipt_key_file: Path | None = Field(
        None,
        description="JWK on P-256, or a set of them; none: `keys/receipts.jwk` in the data folder",
    )
    key_encryption: str | None = Field(
        None,
        description="token that wraps holders' keys, as `pkcs11:…`;"
        " none: `keys/key-encryption` in the data folder",
    )
    origin: str = Field(
        "localhost/permit-ledger",
        pattern=r"^[a-z0-9.:-]+(/[A-Za-z0-9._~-]+)*$",
        max_length=100,
        description="name of the transparency log, for ever: its address without a scheme",
    )
    log_key_file: Path | None = Field(
        None, description="keys that sign the trees; none: `keys/log.keys` in the data folder"
    )
    log_verifiers_file: Path | None = Field(
        None, description="what verifies them, where the keys themselves are not; none: the keys"
    )
    manifest_interval_s: float = Field(
        600,
        ge=1,
        le=86_400,
        description="how often the last event of every permit is put on record",
    )
    witness_policy: Path | None = Field(
        None, description="who cosigns the trees, as C2SP tlog-policy has it; none: nobody"
    )
    witness_interval_s: float = Field(
        10,
        ge=0.1,
        le=86_400,
        description="how often witnesses are asked, where there is something new",
    )
    kafka: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.\[\]:_-]+:[0-9]{1,5}( *, *[A-Za-z0-9.\[\]:_-]+:[0-9]{1,5})*$",
        max_length=1000,
        description="Kafka's brokers, as `host:port,host:port`; none: nothing is relayed",
    )
    kafka_ca_file: Path | None = Field(
        None, description="PEM, what the brokers' certificates are checked against; none: no TLS"
    )
    kafka_certificate_file: Path | None = Field(
        None, description="PEM, shown to the brokers, where they ask for one; with its key"
    )
    kafka_key_file: Path | None = Field(
        None, description="PEM, the certificate's key; none: in the same file"
    )
    kafka_user: str | None = Field(
        None, min_length=1, max_length=200, description="SASL (SCRAM-SHA-512), over TLS only"
    )
    kafka_password_file: Path | None = Field(None, description="the user's password, one line")
    kafka_topic_prefix: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=50,
        description="before the names of topics, where several ledgers share a cluster",
    )
    analytics_dir: Path | None = Field(
        None,
        description="statistics and what is told of them; none: `analytics` in the data folder",
    )
    analytics_memory_mb: int = Field(
        192, ge=64, le=65_536, description="what DuckDB may take, in the `analytics` role"
    )
    database_connections_max: int = Field(
        8, ge=2, le=200, description="for commands, and again for reads"
    )
    min_position_wait_s: float = Field(
        2.0, gt=0, le=30, description="how long a read waits for `min_position`"
    )
    check_wait_s: float = Field(
        0.1,
        gt=0,
        le=10,
        description="how long a check, or a read of one permit, waits for the views, before it"
        " asks the log itself",
    )
    list_wait_s: float = Field(
        0.5,
        gt=0,
        le=10,
        description="how long a list or search waits for the views to have the newest writes;"
        " then it shows what there is",
    )
    ready_lag_events_max: int = Field(
        1000, ge=0, description="events the views may be behind while `/readyz` says ready"
    )
    audit_permits_per_s: int = Field(
        5, ge=0, le=1000, description="permits that the auditor compares with the log; 0: none"
    )
    start_timeout_s: float = Field(
        300,
        ge=1,
        le=86_400,
        description="how long nothing may move before a start is given up",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is logged, to standard error"
    )
    log_format: Literal["json", "console"] = Field("json", description="for machines or for people")

    @field_validator("host")
    @classmethod
    def _one_host(cls, host: str) -> str:
        """Without the brackets that an address of IPv6 has in a URL."""
        try:
            return bare_host(host)
        except ValueError as error:
            raise ValueError(f"{error}: PERMIT_LEDGER_HOST is one address or name") from None

    @model_validator(mode="after")
    def _one_issuer(self) -> Settings:
        if self.development and self.issuer:
            raise ValueError(
                "PERMIT_LEDGER_DEVELOPMENT and PERMIT_LEDGER_ISSUER exclude each other:"
                " whoever trusts a real issuer must not hand out tokens to anyone"
            )
        if self.issuer and not self.jwks:
            raise ValueError("PERMIT_LEDGER_ISSUER needs PERMIT_LEDGER_JWKS, its public keys")
        return self

    @model_validator(mode="after")
    def _whole_kafka(self) -> Settings:
        given = {name: getattr(self, f"kafka_{name}") for name in ("certificate_file", "user")}
        if self.kafka_ca_file is None and any(given.values()):
            raise ValueError(
                "PERMIT_LEDGER_KAFKA_CERTIFICATE_FILE and PERMIT_LEDGER_KAFKA_USER need"
                " PERMIT_LEDGER_KAFKA_CA_FILE: neither goes over a line that anybody may read"
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
        """Where it is remembered what was signed."""
        return self.data_dir / "tree"

    @property
    def source(self) -> str:
        """The ledger's own URI, in every event that leaves it."""
        return f"https://{self.origin}"

    @property
    def statistics_dir(self) -> Path:
        return self.analytics_dir or self.data_dir / "analytics"

    @property
    def published_dir(self) -> Path:
        """What of the statistics is for everybody."""
        return self.statistics_dir / "published"

    @property
    def url(self) -> str:
        """Where people find the API on this machine."""
        return local_url(self.host, self.port)
