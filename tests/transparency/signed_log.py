"""A small log, recorded and signed as in production, for tests that tamper with it."""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from typer.testing import CliRunner, Result

from ledger.checks.log import Check
from ledger.commands.blocking import BlockingLedger
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKey
from ledger.database.connections import Connection, as_service, connect
from permit_ledger.bootstrap.policy import load_policy
from permit_ledger.cli.app import app
from permit_ledger.keys.log_keys import WatchedSigners
from permit_ledger.sample.command import simulate
from permit_ledger.settings import Settings
from tests.keks import keyring
from transparency.integrator import Integrator
from transparency.last_signed import LastSignedStore
from transparency.logs import LOGS
from transparency.manifests import ManifestMaker

UNTIL = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ROUNDS, PERMITS, CHECKS, LOOKS = 3, 40, 20, 4
TABLES = (
    "events",
    "checks",
    "manifests",
    "audit_reads",
    "checkpoints",
    "checkpoint_signatures",
)


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder, log_level="error")


@dataclass
class SignedLog:
    """``folder`` is the data folder beside the database: keys, and what was signed last."""

    url: str
    folder: Path

    def record(self, blind_index: BlindIndex, seed: int) -> None:
        """A few hundred events and some checks."""
        with closing(
            BlockingLedger(as_service(self.url), blind_index=blind_index, keyring=keyring())
        ) as ledger:
            policy = load_policy(synthetic_people=True)
            simulate(ledger, permits=PERMITS, days=300, seed=seed, until=UNTIL, policy=policy)
        with connect(self.url) as connection:
            check(connection, [(seed * 1000 + n) for n in range(CHECKS)])
            look(connection, [(seed * 1000 + n) for n in range(LOOKS)])

    def integrate(self, *trees: str) -> None:
        """Until everything is signed, or these trees are, with a manifest in the end."""
        keys = WatchedSigners(settings(self.folder))
        with connect(as_service(self.url)) as connection:
            for name, log in LOGS.items():
                if trees and name not in trees:
                    continue
                if name == "manifests":
                    ManifestMaker(connection, 0).make(asked=True)
                memory = LastSignedStore(self.folder / "tree", name)
                origin = settings(self.folder).origin
                integrator = Integrator(connection, log, origin, keys.of(name), memory)
                while integrator.step():
                    pass

    def attack(self, *statements: str, parameters: Any = None) -> None:
        """What a superuser can do, having put the triggers aside."""
        with connect(self.url) as owner, owner.transaction():
            for table in TABLES:
                owner.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER USER")
            owner.execute("ALTER TABLE ledger.checkpoint_signatures DISABLE TRIGGER ALL")
            owner.execute("SET CONSTRAINTS ALL DEFERRED")
            for statement in statements:
                owner.execute(statement, parameters)
            owner.execute("ALTER TABLE ledger.checkpoint_signatures ENABLE TRIGGER ALL")
            for table in TABLES:
                owner.execute(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER append_only")

    def ask(self, statement: str, parameters: Any = None) -> Any:
        with connect(self.url) as owner:
            return owner.execute(statement, parameters).fetchone()[0]

    def rows(self, statement: str) -> list[Any]:
        with connect(self.url) as owner:
            return owner.execute(statement).fetchall()

    def verify(self, *options: str) -> Result:
        """The command, as the service's role."""
        return self.run("verify-log", *options)

    def run(self, *arguments: str, url: str | None = None) -> Result:
        where = ["--data-dir", str(self.folder), "--database-url", url or as_service(self.url)]
        try:
            return CliRunner().invoke(app, [*arguments, *where])
        finally:
            structlog.reset_defaults()  # a command's log goes to where its output went

    def checkpoint(self, tree: str = "events") -> Path:
        """What is remembered outside the database, put aside."""
        kept = self.folder / f"{tree}.kept"
        shutil.copy(self.folder / "tree" / f"{tree}.checkpoint", kept)
        return kept


def check(connection: Connection, numbers: list[int]) -> None:
    """Checks as the service records them."""
    key = HolderKey("holder-1", bytes(32))
    states = [
        Check(
            check_id=UUID(int=number),
            checked_at=UNTIL + timedelta(seconds=number),
            verifier="verifier-1",
            scenario="entry_exit",
            track="physical",
            permit_number="7Q2M9K4T8XW5",
            card_serial=2,
            code=None,
            device=None,
            outcome="effective",
            reason=None,
            fields=["name"],
            as_of_position=7,
        )
        .record(bytes(32), key)
        .state
        for number in numbers
    ]
    connection.execute(
        "SELECT * FROM ledger.check_batch(%s, '{}', '{}', '{}', '{}', '{}', now(), '0')",
        [states],
    )


def look(connection: Connection, numbers: list[int]) -> None:
    """Audit reads as the service records them."""
    for number in numbers:
        connection.execute(
            "SELECT ledger.record_read(%s, now(), 'investigator-1', 'A-1', 'events',"
            " '7Q2M9K4T8XW5', '{\"after\": \"3\"}', 'answered', 'request')",
            [UUID(int=number)],
        )


Make = Callable[[], SignedLog]
