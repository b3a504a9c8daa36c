"""What all writes share: the command's context from the request's headers, and the response with
its position, version and receipt."""

import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Final

import orjson
from fastapi import Depends, Header, Request
from starlette.responses import Response

from ledger.commands.runner import Command
from ledger.errors import LedgerError
from ledger.eventlog.idempotency import KEY_LENGTH_MAX, Answer, IdempotencyKey

from .conditional import entity_tag, expected_versions
from .json_bodies import without_mark
from .problems import MEDIA_TYPE
from .rendering import ABOUT, Json, with_position
from .roles import Scope
from .security import require
from .services import Services, services
from .tokens import Principal

APPEND_PROMISE: Final = "permit-append-promise+jwt"
INTEGRATED_WITHIN_S = 60


class Written(Response):
    """The response to a command; ``is_on_record`` if the event that it has appended is its record.

    A retry's is not: it shows the permit again, and its first answer may have gone unrecorded.
    ``about`` are the records of another person that it tells of.
    """

    is_on_record = False
    about: tuple[str, ...] = ()


def command_by(
    scope: Scope, caller: Callable[..., Awaitable[Principal]] | None = None
) -> Callable[..., Awaitable[Command]]:
    """Make a dependency: the command's context, idempotency key and expected versions.

    ``caller`` is the dependency that authenticates, where the scope is not enough.
    """

    async def command(
        request: Request,
        service: Annotated[Services, Depends(services)],
        principal: Annotated[Principal, Depends(caller or require(scope))],
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
        key = None
        if idempotency_key is not None:
            service.fruitless.require(principal.subject)  # refusals under keys are kept for ever
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
    """Return method, path and body; equal where only white space or the order of members differ."""
    body = await request.body()
    with suppress(ValueError, TypeError):  # malformed or too deep: refused later
        body = orjson.dumps(orjson.loads(without_mark(body)), option=orjson.OPT_SORT_KEYS)
    return b"\0".join([request.method.encode(), request.url.path.encode(), body])


def unchanged(document: Json) -> Json:
    return document


async def answered(
    outcome: Awaitable[Answer],
    service: Services,
    status: int | Callable[[Json], int] = 200,
    *,
    complete: Callable[[Json], Json] = unchanged,
    kept: Command | None = None,
) -> Response:
    """Run a command and respond with what it came to.

    The stored answer holds no position, since it was written before the append had one: it is added
    here. A permit is some 500 bytes, so reading and writing it again takes a few microseconds.

    Args:
        outcome: The command, not yet awaited.
        status: Of the response, if the command is accepted; or what makes it of the document.
        complete: Adds to the document what is not stored with it.
        kept: The command, where its route does not record fruitless ones: under a key its answer is
            kept for ever, whatever it came to.

    Raises:
        HttpProblem: 429; the account has had too many such answers kept.
    """
    is_fruitless = True
    try:
        answer = await outcome
        is_fruitless = not (answer.appended or answer.replayed)
    finally:
        if is_fruitless and kept is not None and kept.key is not None:
            service.fruitless.spend(kept.context.actor)
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    if answer.position is not None:
        headers["Ledger-Position"] = str(answer.position)
    if not answer.accepted:
        refusal = orjson.loads(answer.body)
        about = tuple(refusal.pop(ABOUT, ()))
        written = _written(answer, orjson.dumps(refusal), 409, headers, MEDIA_TYPE)
        written.about = about
        return written
    headers["ETag"] = entity_tag(answer.version or 0)
    if answer.position is not None:
        headers |= await _receipt(answer.position, service)
    document = with_position(orjson.loads(answer.body), answer.position or 0)
    body = orjson.dumps(complete(document))
    of_document = status if isinstance(status, int) else status(document)
    return _written(answer, body, of_document, headers, "application/json")


def _written(
    answer: Answer, body: bytes, status: int, headers: dict[str, str], media_type: str
) -> Written:
    written = Written(body, status, headers, media_type)
    written.is_on_record = answer.appended
    return written


async def _receipt(position: int, service: Services) -> dict[str, str]:
    """Return the hash of the append's leaf, its details in Base64, and a signed promise that the
    tree will have it.

    A client that keeps the promise can prove a minute later that the tree lacks the fact, or has
    another one in its place. Empty if the log is unavailable: the append has happened, and its
    proof can be fetched later.
    """
    with suppress(LedgerError):
        if event := await service.trees.recorded(position):
            now = int(time.time())
            claims = {
                "origin": service.trees.origin,
                "position": position,
                "leaf_hash": event.leaf.hex(),
                "iat": now,
                "integrated_by": now + INTEGRATED_WITHIN_S,
            }
            promise = service.receipts.sign(claims, kind=APPEND_PROMISE)
            return {
                "Ledger-Leaf-Hash": event.leaf.hex(),
                "Ledger-Leaf-Details": b64encode(event.details).decode(),
                "Ledger-Promise": promise,
            }
    return {}
