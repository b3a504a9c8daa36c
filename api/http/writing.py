"""What every write shares: its headers in, the answer with its headers out."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

import orjson
from fastapi import Depends, Header, Request
from starlette.responses import Response

from ledger.commands.runner import Command
from ledger.eventlog.idempotency import KEY_LENGTH_MAX, Answer, IdempotencyKey

from .conditional import entity_tag, expected_versions
from .json_bodies import without_mark
from .problems import HttpProblem, response
from .rendering import place
from .roles import Scope
from .security import require
from .services import Services, services
from .tokens import Principal

_AT_A_STATION = {Scope.PERMITS_WRITE, Scope.APPLICATIONS_WRITE}


def command_by(scope: Scope) -> Callable[..., Awaitable[Command]]:
    """A dependency: the command's context, idempotency key and expected version."""

    async def command(
        request: Request,
        service: Annotated[Services, Depends(services)],
        principal: Annotated[Principal, Depends(require(scope))],
        idempotency_key: Annotated[
            str | None,
            Header(
                max_length=KEY_LENGTH_MAX,
                min_length=1,
                description="a retry with the same key and body gets the first answer",
            ),
        ] = None,
        if_match: Annotated[
            list[str] | None,
            Header(description='the version seen last, as in `"3"`, or a list; 412 if none is it'),
        ] = None,
    ) -> Command:
        if scope in _AT_A_STATION and principal.station is None:
            raise HttpProblem(403, "FORBIDDEN", "The token names no station.")
        key = None
        if idempotency_key is not None:
            blind_index = service.ledger.blind_index
            key = IdempotencyKey(
                caller=principal.subject,
                key=blind_index.retry_key(principal.subject, idempotency_key),
                fingerprint=blind_index.fingerprint(await _canonical(request)),
            )
        return Command(
            context=service.context(principal, request.state.correlation_id),
            key=key,
            expected_versions=expected_versions(if_match),
        )

    return command


async def _canonical(request: Request) -> bytes:
    """Method, path and body, so that spaces and the order of members make no other request."""
    body = await request.body()
    with suppress(ValueError, TypeError):  # no JSON, or too deep: it is refused for that later
        body = orjson.dumps(orjson.loads(without_mark(body)), option=orjson.OPT_SORT_KEYS)
    return b"\0".join([request.method.encode(), request.url.path.encode(), body])


def answered(answer: Answer, status: int = 200) -> Response:
    """The HTTP form of what a command came to."""
    if not answer.accepted:
        return response(409, answer.body, headers_of(answer))
    body = place(answer.body, answer.position or 0)
    return Response(body, status, headers_of(answer), "application/json")


def headers_of(answer: Answer) -> dict[str, str]:
    """Where it stands in the log, which version it is, and whether it was told before."""
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    if answer.position is not None:
        headers["Ledger-Position"] = str(answer.position)
    if answer.accepted:
        headers["ETag"] = entity_tag(answer.version or 0)
    return headers
