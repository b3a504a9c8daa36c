"""The public transparency log: checkpoints, tiles, entries, proofs, keys (C2SP tlog-tiles).

The log of events is under ``/tlog``, that of checks under ``/tlog/checks``, that of manifests under
``/tlog/manifests``, that of audit reads under ``/tlog/audit-reads``. All is public but entries of
format 1: they name permits and say what happened to them, so they are for those who audit or
operate the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request
from starlette.responses import Response
from werkzeug.http import parse_list_header, parse_options_header, unquote_header_value

from api.audit.audited import EntriesRoute, investigator_or_operator
from api.http import documents
from api.http.admission import client_of
from api.http.problems import HttpProblem
from api.http.security import documented
from api.http.services import Services, services
from ledger.errors import Unavailable
from ledger.eventlog.follow import POSITION_MAX
from transparency.entries import bundled, is_commitment
from transparency.logs import LOGS, MANIFESTS, Log
from transparency.merkle import LEVEL_MAX, WIDTH, Tile, TilePath
from transparency.notes import Note, TreeHead
from transparency.proof_text import TlogProof

router = APIRouter(tags=["tlog"])
entries = APIRouter(tags=["tlog"], route_class=EntriesRoute)
"""Comes before :data:`router`, which has the tiles, whose path includes theirs."""

TEXT, OCTETS = "text/plain; charset=utf-8", "application/octet-stream"
FOR_EVER = "public, max-age=31536000, immutable"
FOR_ONE_FOR_EVER = "private, max-age=31536000, immutable"
FOR_A_MOMENT = "public, max-age=1"
FOR_A_WHILE = "public, max-age=60"

WAIT_MAX_S = 30
PREFER_LENGTH_MAX = 200
"""Characters; the rest is ignored."""

_SECONDS = re.compile(r"[0-9]{1,4}")

Service = Annotated[Services, Depends(services)]
Position = Annotated[int, Path(ge=1, le=POSITION_MAX)]
Prefer = Annotated[
    list[str] | None,
    Header(
        description=f"`wait=N`: for up to N seconds, {WAIT_MAX_S} at most (RFC 7240)",
    ),
]


def text_of(description: str, *problems: int) -> documents.Responses:
    """Document a text, or one of these problems."""
    success: documents.Responses = {
        200: {
            "description": description,
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    }
    return success | documents.problems(*problems)


_OCTETS: documents.Responses = {
    200: {
        "description": "hashes of 32 bytes each; or entries, each after its length of 2 bytes",
        "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_TILE = _OCTETS | documents.problems(404, 422, 503)
_ENTRIES = _OCTETS | documents.problems(401, 403, 404, 422, 429, 503)


def _checkpoint_of(log: Log) -> Callable[..., Awaitable[Response]]:
    async def checkpoint(service: Service) -> Response:
        """The newest signed size and root, as a note (C2SP tlog-checkpoint)."""
        found = await service.trees.newest(log)
        if found is None:
            raise not_there("Nothing is signed yet.", retry=True)
        return answer(str(found), TEXT, FOR_A_MOMENT)

    return checkpoint


def _tile_of(log: Log) -> Callable[..., Awaitable[Response]]:
    async def tile(tile_path: str, service: Service) -> Response:
        """A tile `<L>/<N>[.p/<W>]`."""
        wanted = _tile_path(tile_path)
        content = None
        if wanted.level is not None and wanted.level <= LEVEL_MAX:
            whole = Tile(wanted.level, wanted.number)
            content = await service.trees.tile(log, whole, wanted.width)
        if content is None:
            raise not_there("There is no such tile, or not yet.")
        return answer(content, OCTETS, FOR_EVER)

    return tile


def _entries_of(log: Log) -> Callable[..., Awaitable[Response]]:
    async def entries(
        request: Request,
        tile_path: str,
        service: Service,
        scheme: Annotated[None, Depends(documented)],
    ) -> Response:
        """A bundle of entries `<N>[.p/<W>]`. One with entries that are no commitments is for those
        who operate the ledger, and those who audit it in a case, whose look is recorded."""
        wanted = _tile_path(f"entries/{tile_path}")
        found = await service.trees.entries(log, wanted.number, wanted.width)
        if found is None:
            raise not_there("There is no such bundle, or not yet.")
        if log is MANIFESTS or all(map(is_commitment, found)):
            return answer(bundled(found), OCTETS, FOR_EVER)
        await investigator_or_operator(request, service, scheme)
        return Response(bundled(found), 200, {"Cache-Control": FOR_ONE_FOR_EVER}, OCTETS)

    return entries


def _tile_path(text: str) -> TilePath:
    try:
        wanted = TilePath.of(text)
    except ValueError:
        raise not_there("There is no such tile.") from None
    if wanted.number > POSITION_MAX // WIDTH:
        raise not_there("There is no such tile.")
    return wanted


def _proof_of(log: Log) -> Callable[..., Awaitable[Response]]:
    async def proof(
        request: Request, position: Position, service: Service, prefer: Prefer = None
    ) -> Response:
        """That a position is in the log (C2SP tlog-proof); 404 until it is integrated. Under the
        newest checkpoint that the witnesses' quorum has cosigned, if that covers the position; else
        under the first that does."""
        wait_s = _wait_s(prefer)
        if not await _integrated(log, position, service, wait_s, client_of(request)):
            raise not_there(f"Position {position} is not in the tree yet.", retry=True)
        checkpoint = await service.witnessed.covering(log, position)
        checkpoint = checkpoint or await service.trees.oldest(log, position)
        if checkpoint is None:
            raise not_there(f"Position {position} is under no signature yet.", retry=True)
        text = await _proof_text(log, position, checkpoint, service)
        response = answer(str(text), TEXT, FOR_A_WHILE)
        if wait_s:
            response.headers["Preference-Applied"] = f"wait={wait_s}"
        return response

    return proof


async def _proof_text(log: Log, position: int, checkpoint: Note, service: Services) -> TlogProof:
    index, size = position - 1, TreeHead.of(checkpoint.text).size
    try:
        path = await service.trees.inclusion(log, index, size)
    except KeyError:
        raise Unavailable("A tile of the tree is missing: an operator has to intervene.") from None
    return TlogProof(index, tuple(path), checkpoint)


async def _integrated(log: Log, position: int, service: Services, wait_s: int, client: str) -> bool:
    """Return whether the tree has the position within ``wait_s`` seconds."""

    async def is_there() -> bool:
        return await service.trees.size(log) >= position

    return await service.public_waits.until(is_there, wait_s, client)


def _keys_of(log: Log) -> Callable[..., Awaitable[Response]]:
    async def key(service: Service) -> Response:
        """The key that verifies the checkpoints (C2SP signed-note). Where there are several, a
        line each: first those that sign, then those that have signed."""
        origin = log.origin(service.trees.origin)
        keys = [key for key in service.log_verifiers() if key.name == origin]
        return answer("".join(f"{key}\n" for key in keys), TEXT, FOR_A_WHILE)

    return key


@router.get("/tlog/keys", response_class=Response, responses=text_of("verifier keys"))
async def keys(service: Service) -> Response:
    """The keys of all logs, one per line, to keep and verify evidence with later."""
    lines = "".join(f"{key}\n" for key in service.log_verifiers())
    return answer(lines, TEXT, FOR_A_WHILE)


def _wait_s(prefer: list[str] | None) -> int:
    """Read the first ``wait`` (RFC 7240 §2); 0 if it is not a number of seconds."""
    for preference in parse_list_header(", ".join(prefer or [])[:PREFER_LENGTH_MAX]):
        name, _, value = parse_options_header(preference)[0].partition("=")
        if name.strip().lower() == "wait":
            seconds = unquote_header_value(value.strip())
            return min(int(seconds), WAIT_MAX_S) if _SECONDS.fullmatch(seconds) else 0
    return 0


def not_there(detail: str, *, retry: bool = False) -> HttpProblem:
    """Make a 404; with ``Retry-After`` if it will be there soon."""
    return HttpProblem(404, "NOT_FOUND", detail, headers={"Retry-After": "1"} if retry else {})


def answer(content: str | bytes, media_type: str, cached: str) -> Response:
    """Respond with public content; ``cached`` is its ``Cache-Control``."""
    headers = {"Cache-Control": cached, "Access-Control-Allow-Origin": "*"}
    return Response(content, 200, headers, media_type)


for _log in LOGS.values():
    _under = f"/tlog{_log.suffix}"
    entries.add_api_route(
        f"{_under}/tile/entries/{{tile_path:path}}",
        _entries_of(_log),
        methods=["GET"],
        name=f"{_log.name}_entries",
        response_class=Response,
        responses=_ENTRIES,
    )
for _log in LOGS.values():
    _under = f"/tlog{_log.suffix}"
    for _path, _endpoint, _responses in (
        ("/checkpoint", _checkpoint_of(_log), text_of("a signed note", 404, 503)),
        ("/tile/{tile_path:path}", _tile_of(_log), _TILE),
        ("/proof/{position}", _proof_of(_log), text_of("a proof", 404, 422, 429, 503)),
        ("/key", _keys_of(_log), text_of("verifier keys")),
    ):
        router.add_api_route(
            _under + _path,
            _endpoint,
            methods=["GET"],
            name=f"{_log.name}_{_endpoint.__name__}",
            response_class=Response,
            responses=_responses,
        )
