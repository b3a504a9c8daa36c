"""What can be read with the whole database and all key files."""

from pathlib import Path
from typing import Any

import psycopg
from eventsourcing.persistence import StoredEvent

from domain.personal import ERASED
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKeys, WrappedKey
from ledger.crypto.key_encryption import Keyring
from ledger.crypto.portraits import SealedPortrait
from ledger.errors import Corrupt
from permit_ledger.keys.key_encryption.folder import KeyFolder
from projections.views.face import SealedFace

_TABLES = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


class Thief:
    """Uses the project's own code."""

    def __init__(self, database: psycopg.Connection[Any], data_dir: Path) -> None:
        self._database = database
        self._keks = KeyFolder(data_dir / "keys" / "key-encryption")
        self._blind_index_key = data_dir / "keys" / "blind-index.key"

    def loot(self) -> str:
        """Everything readable: every table as text, and all that the keys decrypt."""
        return "\n".join([*self._tables(), *self._events(), *self._portraits(), *self._faces()])

    def log(self) -> list[Any]:
        """Every row of it, byte by byte."""
        return self._rows("SELECT * FROM ledger.events ORDER BY position")

    def finds(self, citizen_id_number: str) -> bool:
        """Whether the stolen key finds this number in the blind index."""
        key = bytes.fromhex(self._blind_index_key.read_text())
        index = BlindIndex(key).of(citizen_id_number)
        holders = self._rows("SELECT 1 FROM ledger.holders WHERE citizen_index = %s", index)
        found = "SELECT 1 FROM views.permit_search WHERE citizen_index = %s"
        return bool(holders or self._rows(found, index.hex()))

    def wrapped_key(self, holder_id: str) -> WrappedKey:
        """The key as a copy of today's database has it."""
        query = "SELECT holder_id, kek_id, wrapped FROM ledger.holder_keys WHERE holder_id = %s"
        [row] = self._rows(query, holder_id)
        return WrappedKey(*row)

    def opens(self, copy: WrappedKey) -> bool:
        """Whether a wrapped key of an old copy can be unwrapped with any KEK that is left."""
        assert copy.wrapped is not None
        for kek in self._keks.load():
            for renamed in {kek.kek_id, copy.kek_id}:
                try:
                    HolderKeys(Keyring(self._keks.load)).unwrap([copy._replace(kek_id=renamed)])
                except Corrupt:
                    continue
                return True
        return False

    def _tables(self) -> list[str]:
        tables = [name for (name,) in self._rows(_TABLES)]
        rows = "SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {} AS t"
        return [self._rows(rows.format(table))[0][0] for table in tables]

    def _keys(self) -> dict[str, Any]:
        rows = self._rows("SELECT holder_id, kek_id, wrapped FROM ledger.holder_keys")
        return HolderKeys(Keyring(self._keks.load)).unwrap(WrappedKey(*row) for row in rows)

    def _events(self) -> list[str]:
        mapper, keys = EventMapper(OrjsonTranscoder()), self._keys()
        rows = self._rows("SELECT stream, version, topic, state FROM ledger.events")
        sealed = [mapper.parse(StoredEvent(*row)) for row in rows]
        return [repr(event) for event in mapper.open(sealed, keys)]

    def _portraits(self) -> list[str]:
        keys = [key for key in self._keys().values() if key is not ERASED]
        rows = self._rows("SELECT stream, version, image FROM ledger.portraits")
        found = []
        for stream, version, image in rows:
            for key in keys:
                try:
                    opened = key.open(
                        SealedPortrait(stream, version, image).image,
                        "portrait",
                        stream,
                        str(version),
                    )
                except Corrupt:
                    continue
                found.append(opened.decode("latin-1"))
        return found

    def _faces(self) -> list[str]:
        keys, found = self._keys(), []
        for view in ("physical", "electronic"):
            rows = self._rows(f"SELECT permit_number, holder_id, face FROM views.{view}_permits")
            for number, holder_id, face in rows:
                key = keys[holder_id]
                if face is not None and key is not ERASED:
                    found.append(repr(SealedFace(face).open(key, view, number)))
        return found

    def _rows(self, query: Any, *parameters: Any) -> list[Any]:
        return self._database.execute(query, parameters).fetchall()
