"""Many clients for a while: no failure, no gap in the log, and views that equal a fold of it.

``PERMIT_LEDGER_TEST_LOAD_S`` (default 3) and ``PERMIT_LEDGER_TEST_LOAD_CLIENTS`` (64) say how much.
"""

import asyncio
import os
import time
from collections import Counter
from contextlib import closing
from itertools import cycle

import httpx
import psycopg
from joserfc.jwk import ECKey
from psycopg.rows import dict_row

from ledger.commands.blocking import BlockingLedger
from ledger.crypto.blind_index import BlindIndex
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import Settings
from projections.views.face import SealedFace
from tests.api.phones import CLAIM as A_CLAIM
from tests.api.phones import proof_of
from tests.projections import columns

LOAD_S = float(os.environ.get("PERMIT_LEDGER_TEST_LOAD_S", "3"))
CLIENTS = int(os.environ.get("PERMIT_LEDGER_TEST_LOAD_CLIENTS", "64"))

LOSS, LIFT, REISSUE = ("loss-reports", {}), ("loss-lifts", {}), ("reissues", {})
REPLACEMENT = ("replacements", {"reason": "office_error", "old_card_returned": True})
DELIVERY = ("card-deliveries", {})
HOME = {"division": "320211", "address": "滨湖区示例路9号"}
MOVE = ("address-changes", {"residence": HOME, "moved_on": "2020-01-15"})
CORRECTION = ("identity-corrections", {"name": "欧阳更正"})
CLAIM = ("electronic/claims", None)
ORDER = {"legal_basis": "test", "case": "test-1"}
ASKED, ERASURE = ("erasures", {**ORDER}), ("erasures", ORDER)
"""By an operator, and by an investigator."""
LIVES = [
    [],
    [CLAIM, LOSS, REISSUE, DELIVERY],
    [DELIVERY, LOSS, LIFT, MOVE],
    [CORRECTION, CLAIM, REPLACEMENT, CLAIM],
    [LOSS, CORRECTION, ("cancellations", {"reason": "moved_away"})],
    [MOVE, REPLACEMENT, LOSS, ("voidings", {"finding": "forged lease"})],
    [CLAIM, CORRECTION, MOVE, ASKED, ERASURE],
]
"""What clients do to their permits in turn; every act of it is granted."""
ENOUGH, EXPECTED = 4 * len(LIVES), {200, 201, 202}
"""So many writes at least, on a busy machine too; and their answers."""


async def live(client, registrar, person, life):
    """One permit's life; yields the status of every request."""

    async def headers_of(role, holder_id):
        body = {"role": role, "holder_id": holder_id, "case": "test-1"}
        token = (await client.post("/v1/dev/tokens", json=body)).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}

    issued = await client.post("/v1/permits", json=person, headers=registrar)
    yield issued.status_code
    permit = issued.json()
    for what, body in life if issued.is_success else []:
        headers, path = registrar, f"/v1/permits/{permit['permit_number']}/{what}"
        if what == CLAIM[0]:
            headers = await headers_of("holder", permit["holder_id"])
        elif what == ERASURE[0]:
            headers = await headers_of("investigator" if body is ORDER else "operator", None)
            path = f"/v1/audit/holders/{permit['holder_id']}/{what}"
        sent = body
        if body is None:
            key = ECKey.generate_key("P-256")
            sent = {**A_CLAIM, "device_key": key.as_dict(private=False)}
            token = headers["Authorization"].partition(" ")[2]
            url = str(client.base_url.join(path))
            headers = {**headers, "DPoP": proof_of(key, "POST", url, token)}
        answer = await client.post(path, json=sent, headers=headers)
        yield answer.status_code


async def load(service, application):
    """Every client issues one permit after another; returns how often each status came."""
    registrar = service.caller("registrar").headers
    statuses, lives = Counter(), cycle(LIVES)

    async def one():
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            while time.monotonic() < ends or (statuses[201] < ENOUGH and set(statuses) <= EXPECTED):
                requests = live(client, registrar, application(), next(lives))
                statuses.update([status async for status in requests])

    ends = time.monotonic() + LOAD_S
    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return statuses


def opened(service, row, view):
    """A row with its face decrypted."""
    if row["face"] is None:
        return row
    key = service.holder_key(row["holder_id"])
    return {**row, "face": SealedFace(row["face"]).open(key, view, row["permit_number"])}


VIEWS = {"physical": columns.physical, "electronic": columns.electronic}


def test_under_load_nothing_fails_and_the_views_equal_the_log(
    make_service, application, eventually
):
    """Positions 1 … head, each once; every column of both tracks as the events say."""
    service = make_service().start()

    statuses = asyncio.run(load(service, application))

    assert set(statuses) == EXPECTED
    eventually(service.is_in_step)
    assert service.log_is_contiguous()
    settings = Settings(data_dir=service.data_dir)
    with (
        closing(
            BlockingLedger(
                service.database_url,
                blind_index=BlindIndex(bytes(32)),
                keyring=keyring(settings),
            )
        ) as ledger,
        psycopg.connect(service.database_url, row_factory=dict_row) as views,
    ):
        streams = service.rows("SELECT DISTINCT stream FROM ledger.events")
        folded = {number: ledger.permit(number) for (number,) in streams}
        for view, expected in VIEWS.items():
            rows = views.execute(f"TABLE views.{view}_permits")
            found = {row["permit_number"]: opened(service, row, view) for row in rows}
            assert {number: expected(permit) for number, permit in folded.items()} == found
    assert any(permit.erased for permit in folded.values())
