"""Violations in the views after all writers have ended: every row against a fold of the log."""

from typing import Any, cast

from psycopg.rows import dict_row

from domain.permit import Permit
from domain.personal import ERASED
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import Connection, connect
from projections.projector.quarantine import list_quarantined
from projections.views.face import SealedFace
from tests.chaos.judge import judge
from tests.chaos.workload import BLIND_INDEX
from tests.projections import columns

Rows = dict[str, dict[str, Any]]
SHOWN_MAX = 20


def what_is_wrong(url: str, ledger: BlockingLedger) -> dict[str, list[str]]:
    """The violations by name; quarantined permits are left out."""
    with connect(url) as connection:
        quarantined = {one.permit_number for one in list_quarantined(connection)}
        streams = connection.execute("SELECT DISTINCT stream FROM ledger.events").fetchall()
        head, position = cast(
            "tuple[int, int]",
            connection.execute(
                "SELECT head.position, position.position FROM ledger.head, views.position"
            ).fetchone(),
        )
        rows = {name: _rows(connection, name) for name in ("physical", "electronic", "search")}
    permits = [ledger.permit(number) for number in {str(s) for (s,) in streams} - quarantined]
    wanted: dict[str, Rows] = {
        "physical": {each.id: columns.physical(each) for each in permits},
        "electronic": {each.id: columns.electronic(each) for each in permits},
        "search": {each.id: _entry(each) for each in permits},
    }
    for name in ("physical", "electronic"):
        _open_faces(ledger, name, rows[name])
    wrong = {
        f"{name} differs": [
            number
            for number in (wanted[name].keys() | rows[name].keys()) - quarantined
            if wanted[name].get(number) != rows[name].get(number)
        ]
        for name in wanted
    }
    wrong["behind"] = [] if position == head else [f"{position} of {head}"]
    wrong["gaps"] = judge(url).gaps
    return {name: found[:SHOWN_MAX] for name, found in wrong.items() if found}


def _rows(connection: Connection, name: str) -> Rows:
    table = "permit_search" if name == "search" else f"{name}_permits"
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(f"SELECT * FROM views.{table}".encode()).fetchall()
    return {row["permit_number"]: row for row in found}


def _open_faces(ledger: BlockingLedger, view: str, rows: Rows) -> None:
    keys = ledger.log.holder_keys([row["holder_id"] for row in rows.values()])
    for number, row in rows.items():
        if row["face"] is not None:
            key = keys[row["holder_id"]]
            assert key is not ERASED, "a face without a key"
            row["face"] = SealedFace(row["face"]).open(key, view, number)


def _entry(permit: Permit) -> dict[str, Any]:
    face = columns.face(permit)
    index = BLIND_INDEX.of(face.citizen_id_number).hex() if face else None
    return {"permit_number": permit.id, "citizen_index": index}
