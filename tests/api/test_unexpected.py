"""Unexpected exceptions: a response without a traceback, and a log line with the cause."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from api.http import problems
from api.http.middleware import RequestFrame
from ledger.errors import UnreadableEvent

NAME = "欧阳测试"


@pytest.fixture
def ask():
    """``ask(error, headers)``: the response and the log of a service in which it is raised."""

    def ask(error, **headers):
        app = FastAPI()
        problems.install(app)
        app.add_middleware(RequestFrame)

        @app.get("/v1/permits/{permit_number}")
        async def fail(permit_number):
            raise error

        async def get():
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
                return await http.get(f"/v1/permits/{NAME}", headers=headers)

        with capture_logs() as logs:
            answer = asyncio.run(get())
        return answer, logs

    return ask


def test_an_unexpected_error_is_found_by_its_correlation_id(ask):
    """It is in the response and in each line; the route is logged as a pattern."""
    error = ValueError(NAME)

    answer, (request, unexpected) = ask(error, **{"X-Correlation-ID": "counter-7"})

    assert (500, "INTERNAL") == (answer.status_code, answer.json()["code"])
    assert NAME not in answer.text
    assert "counter-7" == answer.headers["X-Correlation-ID"]
    assert "counter-7" == request["correlation_id"] == unexpected["correlation_id"]
    assert "/v1/permits/{permit_number}" == request["route"] == unexpected["route"]
    assert ("unexpected", "ValueError", error) == (
        *(unexpected["event"], unexpected["error"]),
        unexpected["exc_info"],
    )


def test_an_unreadable_event_is_named_only_in_the_log(ask):
    """By its position, never by its content; the caller may retry."""
    answer, (corrupt, request) = ask(UnreadableEvent("version 3 of 0M3K9Z7QW1XA is no JSON"))

    assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])
    assert "0M3K9Z7QW1XA" not in answer.text
    assert "version 3 of 0M3K9Z7QW1XA is no JSON" == corrupt["reason"]
    assert answer.headers["X-Correlation-ID"] == corrupt["correlation_id"]
    assert request["route"] == corrupt["route"]
