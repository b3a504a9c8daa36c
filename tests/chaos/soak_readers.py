"""The readers of the soak test: each a loop of its own, until it is stopped."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, cast

import psycopg
from psycopg import sql

from domain.personal import ERASED
from ledger.crypto.holder_keys import HolderKeys, WrappedKey
from ledger.database.connections import Connection, connect
from projections.views.face import SealedFace
from projections.views.track import TrackRow
from tests.keks import keyring

SAMPLE_ROWS = 40
PAUSE_S = 0.02

SHARED = [*(name for name in TrackRow.__dataclass_fields__ if name != "face"), "card_serial"]
_DIFFERS = sql.SQL(" OR ").join(
    [
        *(
            sql.SQL("physical.{0} IS DISTINCT FROM electronic.{0}").format(sql.Identifier(name))
            for name in SHARED
        ),
        sql.SQL("(physical.face IS NULL) <> (electronic.face IS NULL)"),
    ]
)
_BOTH = (
    " FROM views.physical_permits AS physical"
    " FULL JOIN views.electronic_permits AS electronic USING (permit_number)"
)
IN_STEP = sql.SQL("SELECT count(*), array_agg(permit_number) FILTER (WHERE {})").format(
    _DIFFERS
) + sql.SQL(_BOTH)
FACES = (
    sql.SQL(
        "SELECT permit_number, physical.face, electronic.face, physical.holder_id, kek_id, wrapped"
    )
    + sql.SQL(_BOTH)
    + sql.SQL(" JOIN ledger.holder_keys ON holder_keys.holder_id = physical.holder_id")
    + sql.SQL(" ORDER BY random() LIMIT {}").format(SAMPLE_ROWS)
)


@dataclass
class Seen:
    """Of all readers together."""

    reads: int = 0
    rows: int = 0
    faces: int = 0
    disagreements: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def note(self, *, rows: int = 0, faces: int = 0, wrong: list[str] | None = None) -> None:
        """One read."""
        with self._lock:
            self.reads, self.rows, self.faces = self.reads + 1, self.rows + rows, self.faces + faces
            self.disagreements += wrong or []


def read_both(url: str, seen: Seen, stop: Event) -> None:
    """All permits on both tracks in one statement: every shared column, and whether there is a
    face."""

    def read(connection: Connection) -> None:
        row = connection.execute(IN_STEP).fetchone()
        count, wrong = cast("tuple[int, list[str] | None]", row)
        seen.note(rows=count, wrong=wrong)

    _over_and_over(url, read, stop)


def read_faces(url: str, seen: Seen, stop: Event) -> None:
    """Some permits on both tracks in one statement, each face decrypted from its own track."""
    keys = HolderKeys(keyring())

    def read(connection: Connection) -> None:
        rows = connection.execute(FACES).fetchall()
        wrong = [
            f"{number}: another face"
            for number, card, phone, *key in rows
            if _differ(keys, str(number), (card, phone), WrappedKey(*cast("Any", key)))
        ]
        seen.note(faces=len(rows), wrong=wrong)

    _over_and_over(url, read, stop)


def _differ(keys: HolderKeys, number: str, boxes: tuple[Any, Any], row: WrappedKey) -> bool:
    """Whether the tracks show different people; an erased one is shown by neither."""
    key = keys.unwrap([row])[row.holder_id]
    if key is ERASED or None in boxes:
        return (boxes[0] is None) is not (boxes[1] is None)
    physical, electronic = (
        SealedFace(box).open(key, view, number)
        for view, box in zip(("physical", "electronic"), boxes, strict=True)
    )
    return physical != electronic


def _over_and_over(url: str, read: Callable[[Connection], None], stop: Event) -> None:
    """On a connection that is opened again when it breaks."""
    while not stop.is_set():
        with suppress(psycopg.OperationalError), connect(url, application_name="reader") as conn:
            while not stop.wait(PAUSE_S):
                read(conn)
        stop.wait(PAUSE_S)
