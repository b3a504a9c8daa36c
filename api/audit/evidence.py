"""Evidence (证据): a permit's history, verifiable offline without trusting this service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

from api.http import documents
from api.http.reading import well_formed
from api.http.rendering import Json
from api.http.services import Services, services
from api.http.tokens import Principal
from domain.permit_document import permit_document
from domain.policy import Policy
from ledger.errors import Unavailable, UnknownPermit, UnreadableEvent
from ledger.eventlog.history import StreamHistory
from transparency.logs import EVENTS, MANIFESTS
from transparency.merkle import ProofFailed, leaf_hash
from transparency.notes import COSIGNATURE, Note, TreeHead
from transparency.proof_text import TlogProof
from transparency.reading import ManifestProof, Moved

from .answers import EventAnswer
from .audited import WHOLE_HISTORY, AuditedRoute, Investigation, Investigator
from .changes import event_answers
from .evidence_files import SIGNATURE, Completeness, Evidence, ProvedEvent
from .investigator import At

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=AuditedRoute)

WAIT_S = 5.0
"""How long evidence waits for the tree, and then for a manifest that includes the last event."""

ATTEMPTS = 5
Entries = list[tuple[int, bytes]]
"""A permit's, in the order of its versions, with their positions."""

Service = Annotated[Services, Depends(services)]

_ZIP: documents.Responses = {
    200: {
        "description": "a zip; `verify_evidence.py` in it checks it with no network",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
RESPONSES = _ZIP | documents.problems(401, 403, 404, 422, 429, 503)


@router.get(
    "/permits/{permit_number}/evidence",
    response_class=Response,
    responses=RESPONSES,
    dependencies=WHOLE_HISTORY,
)
async def evidence(
    permit_number: str, investigation: Investigator, service: Service, at: At = None
) -> Response:
    """All events of a permit as they are stored, each with its proof; checkpoints around `at`;
    proof of completeness up to the newest manifest; all under the service's signature."""
    history = await service.histories.of(well_formed(permit_number))
    if not history.events:
        raise UnknownPermit
    instant = at or max([service.clock.now(), *(event.timestamp for event in history.sound)])
    state = await asyncio.to_thread(_state, history, instant)
    answers = await asyncio.to_thread(event_answers, history)
    return await zipped(history, answers, state, instant, investigation, service)


async def zipped(
    history: StreamHistory,
    events: Sequence[EventAnswer],
    state: Json | None,
    instant: datetime,
    investigation: Investigation,
    service: Services,
) -> Response:
    """Make the evidence of any stream's history.

    Raises:
        Unavailable: its last event is in no signed tree yet.
    """
    caller = investigation.caller
    stream, last = str(history.events[0].stored.originator_id), history.events[-1].position
    trees = service.trees
    await _integrated(last, caller, service)
    entries = [one for one in await trees.stream_entries(last) if one[0] <= last]
    row = await _manifest_row(stream, entries, caller, service)
    newest = await _newest(max(last, row.manifest.log_size if row else 0), service)
    checkpoints = await _checkpoints(instant, newest, service)
    evidence = Evidence(
        origin=trees.origin,
        stream=stream,
        case=investigation.case,
        asked_by=caller.subject,
        made_at=service.clock.now(),
        at=instant,
        position=last,
        events=await _events(history, events, entries, newest, service),
        checkpoints=checkpoints,
        growth=await _growth(checkpoints, service),
        completeness=await _completeness(row, entries, newest, service) if row else None,
        state=state,
        policy=_policy(service.policy),
        log_keys=list(service.log_verifiers()),
        witness_keys=[key for key in service.witnessed.keys if key.kind == COSIGNATURE],
        service_keys=service.receipts.jwks(),
        sign=partial(service.receipts.sign, kind=SIGNATURE),
    )
    headers = {"Content-Disposition": f'attachment; filename="evidence-{stream}-{last}.zip"'}
    return StreamingResponse(evidence.zipped(), 200, headers, "application/zip")


async def _integrated(position: int, caller: Principal, service: Services) -> None:
    async def is_there() -> bool:
        return await service.trees.size(EVENTS) >= position

    if not await service.waits.until(is_there, WAIT_S, caller.subject):
        raise Unavailable("The last event is not in the tree yet: try again.")


async def _manifest_row(
    number: str, entries: Entries, caller: Principal, service: Services
) -> ManifestProof | None:
    """Return the permit's row in a manifest, in one with its last event if that is made in time."""
    trees = service.trees

    async def is_there() -> bool:
        newest = await trees.newest_manifest()
        if newest is None or newest.log_size < entries[-1][0]:
            await trees.ask_for_manifest()
            return False
        return True

    await service.waits.until(is_there, WAIT_S, caller.subject)
    found = None
    for _ in range(ATTEMPTS):  # the manifest may be replaced meanwhile
        with suppress(Moved, ProofFailed):
            found = await trees.manifest(number)
            if found and await trees.size(MANIFESTS) >= found.position:
                found.check(number, _leaf_of(found, entries))
                return found
        await asyncio.sleep(WAIT_S / 20)
    return found


def _leaf_of(row: ManifestProof, entries: Entries) -> bytes:
    return leaf_hash(entries[row.version - 1][1]) if row.version <= len(entries) else b""


async def _newest(size_min: int, service: Services) -> Note:
    """Return the newest checkpoint of this size or more that the witnesses' quorum has cosigned,
    else one that any witness has, else the newest."""
    if witnessed := await service.witnessed.covering(EVENTS, size_min):
        return witnessed
    for cosigned in await service.trees.cosigned(EVENTS, size_min):
        if found := service.trees.genuine(EVENTS, cosigned):
            return found
    if newest := await service.trees.newest(EVENTS):
        return newest
    raise Unavailable("Nothing is signed yet: try again.")


async def _checkpoints(instant: datetime, newest: Note, service: Services) -> dict[str, Note]:
    """Return those before and after the instant, where they exist, and the newest; each larger
    than the one before."""
    before = await service.trees.at(EVENTS, instant)
    after = await service.trees.after(EVENTS, instant, _size(before) if before else 0)
    around = {"before": before, "after": after, "newest": newest}
    return {
        name: note
        for name, note in around.items()
        if note and (name == "newest" or 0 < _size(note) < _size(newest))
    }


async def _growth(checkpoints: dict[str, Note], service: Services) -> dict[str, list[bytes]]:
    return {
        f"{old}-{new}": await _path(
            service.trees.consistency(EVENTS, _size(checkpoints[old]), _size(checkpoints[new]))
        )
        for old, new in pairwise(checkpoints)
    }


async def _events(
    history: StreamHistory,
    events: Sequence[EventAnswer],
    entries: Entries,
    newest: Note,
    service: Services,
) -> list[ProvedEvent]:
    by_position, size = dict(entries), _size(newest)
    proved = []
    for recorded, event in zip(history.events, events, strict=True):
        index = recorded.position - 1
        path = await _path(service.trees.inclusion(EVENTS, index, size))
        entry = by_position.get(recorded.position, b"{}")
        proof = TlogProof(index, tuple(path), newest)
        proved.append(ProvedEvent(event, recorded.stored.state, entry, proof))
    return proved


async def _completeness(
    row: ManifestProof, entries: Entries, newest: Note, service: Services
) -> Completeness | None:
    checkpoint = await service.trees.oldest(MANIFESTS, row.position)
    if checkpoint is None:
        return None
    index, trees = row.position - 1, service.trees
    path = await _path(trees.inclusion(MANIFESTS, index, _size(checkpoint)))
    return Completeness(
        row=row,
        last_leaf=_leaf_of(row, entries),
        entry_proof=TlogProof(index, tuple(path), checkpoint),
        consistency=await _path(trees.consistency(EVENTS, row.manifest.log_size, _size(newest))),
    )


async def _path(hashes: Awaitable[list[bytes]]) -> list[bytes]:
    try:
        return await hashes
    except KeyError:
        raise Unavailable("A tile of the tree is missing: an operator has to intervene.") from None


def _size(note: Note) -> int:
    return TreeHead.of(note.text).size


def _state(history: StreamHistory, instant: datetime) -> Json | None:
    """Return the state at the instant, as known then; ``None`` if it can't be established."""
    with suppress(UnknownPermit, UnreadableEvent):
        known_history, known = history.known_by(instant)
        if found := known_history.as_of(instant, known):
            return {**permit_document(found.standing), "at": found.at}
    return None


def _policy(policy: Policy) -> Json:
    return {field.name: getattr(policy, field.name) for field in fields(policy)}
