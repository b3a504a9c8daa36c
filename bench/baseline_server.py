"""The baseline of checks: FastAPI doing one plain SELECT, with the pool and the server that ours
uses.

``python -m bench.baseline_server DATABASE_URL PORT CONNECTIONS``. No authentication, no
decision, no encryption, no signature, no record.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException

from permit_ledger.roles.api import BACKLOG, KEEP_ALIVE_S
from permit_ledger.roles.protocol import BoundedHttp
from projections.queries.permits import read_pool

ONE = """
SELECT permit_number, holder_id, version, division, anchor, years, ended, card_serial, card_status
FROM views.physical_permits WHERE permit_number = %s"""


def select_app(database_url: str, connections_max: int) -> FastAPI:
    pool = read_pool(database_url, connections_max=connections_max)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/permits/{permit_number}")
    async def permit(permit_number: str) -> dict[str, Any]:
        async with pool.connection() as connection:
            row = await (await connection.execute(ONE, [permit_number])).fetchone()
        if row is None:
            raise HTTPException(404)
        return row

    return app


if __name__ == "__main__":
    url = os.environ["PERMIT_LEDGER_DATABASE_URL"]
    port, connections = sys.argv[1:]
    uvicorn.run(
        select_app(url, int(connections)),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http=BoundedHttp,
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
