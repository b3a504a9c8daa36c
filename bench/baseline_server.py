"""The baseline: FastAPI doing one plain SELECT or one INSERT, with the pool and the server that
ours uses.

``python -m bench.baseline_server PORT CONNECTIONS``, with the address of the database in the
environment. No authentication, no decision, no encryption, no signature, no record.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from permit_ledger.roles.api import BACKLOG, KEEP_ALIVE_S
from permit_ledger.roles.protocol import BoundedHttp
from projections.queries.permits import read_pool

ONE = """
SELECT permit_number, holder_id, version, division, anchor, years, ended, card_serial, card_status
FROM views.physical_permits WHERE permit_number = %s"""

ADD = """
INSERT INTO bench.reports (permit_number, station, reason, reported_on)
VALUES (%s, %s, %s, %s) RETURNING id, reported_at"""
CREATE = """
CREATE SCHEMA bench;
CREATE TABLE bench.reports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    permit_number text NOT NULL,
    station text NOT NULL,
    reason text NOT NULL,
    reported_on date NOT NULL,
    reported_at timestamptz NOT NULL DEFAULT now()
);
GRANT USAGE ON SCHEMA bench TO permit_ledger_service;
GRANT INSERT, SELECT ON bench.reports TO permit_ledger_service"""


class Report(BaseModel):
    station: str
    reason: str
    reported_on: date


def baseline_app(database_url: str, connections_max: int) -> FastAPI:
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

    @app.post("/permits/{permit_number}/reports", status_code=201)
    async def report(permit_number: str, body: Report) -> dict[str, Any]:
        values = [permit_number, body.station, body.reason, body.reported_on]
        async with pool.connection() as connection:
            row = await (await connection.execute(ADD, values)).fetchone()
        return {**body.model_dump(), **(row or {})}

    return app


if __name__ == "__main__":
    url = os.environ["PERMIT_LEDGER_DATABASE_URL"]
    port, connections = sys.argv[1:]
    uvicorn.run(
        baseline_app(url, int(connections)),
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
