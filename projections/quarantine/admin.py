"""The operator's view of the quarantine: list permits, retry one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import Connection, connect, translated_errors
from ledger.database.named_sql import Queries
from projections.projector.pages import Describe, EventOpener
from projections.projector.quarantine import QuarantinedPermit, list_quarantined
from projections.projector.runner import position
from projections.views.view import View

from .retry import Retried, Retrier

_sql = Queries("projections", "sql/auditor.sql")


class QuarantineAdmin:
    """Safe for many threads: each call has a connection of its own."""

    def __init__(
        self,
        database_url: str,
        views: Sequence[View[Any]],
        holder_keys: HolderKeys,
        describe: Describe,
    ) -> None:
        self._database_url = database_url
        self._views = views
        self._holder_keys = holder_keys
        self._describe = describe

    def quarantined(self, permit_number: str | None = None) -> tuple[int, list[QuarantinedPermit]]:
        """The views' position, and the quarantined permits by position: all, or this one.

        Raises:
            Unavailable
        """
        with self._connection() as connection, connection.transaction():
            connection.execute(_sql.snapshot)
            return position(connection), list_quarantined(connection, permit_number)

    def retry(self, permit_number: str) -> Retried:
        """Retry one permit: see :meth:`.Retrier.retry`.

        Raises:
            NotQuarantined, Unavailable
        """
        retrier = Retrier(self._views, EventOpener(self._holder_keys, self._describe))
        with self._connection() as connection:
            return retrier.retry(connection, permit_number)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with (
            translated_errors(),
            connect(self._database_url, application_name="permit-ledger quarantine") as connection,
        ):
            yield connection
