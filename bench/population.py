"""A city of permits, copied into log and views as commands and projector would have left them.

Every holder has a key of their own, with which the personal fields of both views are encrypted, so
a check has its true cost. The log has an event for each, of which only position, stream and version
are true, since it is never folded here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, LiteralString

from domain import permit_number
from domain.calendar import first_instant
from ledger.checks.display_codes import CodeDigests, StoredCode, new_code
from ledger.crypto import randomness
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import Connection
from projections.views.face import Face

CHUNK = 20_000
ANCHOR = date(2026, 1, 5)
DEVICE = "d" * 43
_FACE = Face(
    name="欧阳测试",
    sex="1",
    ethnicity="01",
    birth_date=date(1990, 1, 1),
    citizen_id_number="990000199001010017",
    hukou_address="安徽省合肥市蜀山区示例路1号",
    address="滨湖区示例新村8号101室",
)
_SHARED = (
    "permit_number, holder_id, version, face, division, issuing_authority, issued_on, anchor,"
    " years, endorsements, restricted, erased, card_serial"
)
_INTO: dict[str, LiteralString] = {
    "events": "ledger.events (position, stream, version, topic, state)",
    "holders": "ledger.holders (holder_id, permit_number, permit_numbers, kek_id, wrapped)",
    "physical": (
        f"views.physical_permits ({_SHARED}, card_status, identity_stale, card_due_on, updated_at)"
    ),
    "electronic": f"views.electronic_permits ({_SHARED}, claimed, devices)",
}
_CODES: LiteralString = (
    "ledger.display_codes (code_digest, permit_number, holder_id, device, challenge_digest,"
    " issued_at, expires_at, mac)"
)


def settle(connection: Connection, keys: HolderKeys, permits: int) -> list[tuple[str, str]]:
    """Insert permits that are in force on any day of 2026; return their numbers and holder ids."""
    made: list[tuple[str, str]] = []
    while len(made) < permits:
        size = min(CHUNK, permits - len(made))
        rows = [_rows(keys, len(made) + n) for n in range(1, size + 1)]
        for n, into in enumerate(_INTO.values()):
            _copy(connection, into, (of_permit[n] for of_permit in rows))
        made += [(of_permit[0][1], of_permit[1][0]) for of_permit in rows]
    connection.execute("UPDATE ledger.head SET position = %s", [permits])
    connection.execute("UPDATE views.position SET position = %s", [permits])
    connection.execute("VACUUM (ANALYZE)")
    return made


def mint(
    connection: Connection, digests: CodeDigests, permits: Sequence[tuple[str, str]], codes: int
) -> list[str]:
    """Live codes, of one permit after the other."""
    now = datetime.now(UTC)
    until = now + timedelta(hours=1)
    minted = [new_code() for _ in range(codes)]
    shown_by = zip(minted, itertools.cycle(permits), strict=False)
    stored = (
        StoredCode(digests.of_code(code), *permit, DEVICE, None, now, until)
        for code, permit in shown_by
    )
    _copy(connection, _CODES, ((*each, digests.mac(each)) for each in stored))
    return minted


def _rows(keys: HolderKeys, position: int) -> tuple[tuple[Any, ...], ...]:
    number = permit_number.draw(randomness.source.bits)
    key, wrapped = keys.new(randomness.source.take(16).hex())

    def shared(view: str) -> tuple[Any, ...]:
        face = _FACE.seal(key, view, number).ciphertext
        when = (ANCHOR, ANCHOR, 1, 0)
        return (number, key.holder_id, 1, face, "320211", "320211-01", *when, False, False, 1)

    return (
        (position, number, 1, "permit.issued.v1", b"{}"),
        (key.holder_id, number, [number], wrapped.kek_id, wrapped.wrapped),
        (*shared("physical"), "issued", False, ANCHOR, first_instant(ANCHOR)),
        (*shared("electronic"), True, [DEVICE]),
    )


def _copy(connection: Connection, into: LiteralString, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def in_turns(permits: Sequence[tuple[str, str]], step: int = 7_919) -> Iterator[str]:
    """All numbers repeatedly, never two neighbours in a row."""
    return (permits[n * step % len(permits)][0] for n in itertools.count())
