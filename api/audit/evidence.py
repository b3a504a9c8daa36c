"""Evidence (证据): a permit's history, verifiable offline without trusting this service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

from api.http import documents
from api.http.reading import well_formed
from api.http.rendering import Json
from api.http.services import Services, services
from api.http.tokens import Principal
from domain.permit_document import permit_document
from domain.policy import Policy
from ledger.errors import Corrupt, Unavailable, UnknownPermit, UnreadableEvent
from ledger.eventlog.history import StreamHistory
from transparency.entries import Recorded
from transparency.last_events import LastEvent
from transparency.logs import EVENTS, MANIFESTS
from transparency.notes import COSIGNATURE, Note, TreeHead
from transparency.prefix_tree import BadProof
from transparency.proof_text import TlogProof
from transparency.reading import LastEventProof

from .answers import EventAnswer
from .audited import WHOLE_HISTORY, AuditedRoute, Investigation, Investigator
from .changes import event_answers, with_stated
from .disclosing import Chosen, Disclose
from .evidence_files import SIGNATURE, Completeness, Evidence, Issuer, ProvedEvent
from .investigator import At

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=AuditedRoute)

WAIT_S = 5.0
"""How long evidence waits for the tree, and then for a manifest that includes the last event."""

Entries = list[Recorded]
"""A permit's, in the order of its versions."""

Service = Annotated[Services, Depends(services)]

ZIP: documents.Responses = {
    200: {
        "description": "a zip; `verify_evidence.py` in it checks it with no network",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
RESPONSES = ZIP | documents.problems(401, 403, 404, 422, 429, 503)


@router.get(
    "/permits/{permit_number}/evidence",
    response_class=Response,
    responses=RESPONSES,
    dependencies=WHOLE_HISTORY,
)
async def evidence(
    permit_number: str,
    investigation: Investigator,
    service: Service,
    at: At = None,
    disclose: Disclose = None,
) -> Response:
    """All events of a permit as they are stored, each with its proof; of what is personal in them
    the fields in `disclose`, each with its proof; checkpoints around `at`; proof of completeness
    up to the newest manifest; all under the service's signature."""
    chosen = Chosen.of(disclose)
    history = await service.histories.of(well_formed(permit_number))
    if not history.events:
        raise UnknownPermit
    instant = at or max([service.clock.now(), *(event.timestamp for event in history.sound)])
    state = await asyncio.to_thread(_state, history, instant)
    answers = await asyncio.to_thread(event_answers, history)
    return await zipped(history, answers, state, instant, chosen, investigation, service)


async def zipped(
    history: StreamHistory,
    events: Sequence[EventAnswer],
    state: Json | None,
    instant: datetime,
    chosen: Chosen,
    investigation: Investigation,
    service: Services,
) -> Response:
    """Make the evidence of any stream's history. Of a restricted or erased holder nothing is
    opened.

    Raises:
        Unavailable: its last event is in no signed tree yet.
    """
    caller = investigation.caller
    stream, last = str(history.events[0].stored.originator_id), history.events[-1].position
    trees = service.trees
    await _integrated(last, caller, service)
    entries = [one for one in await trees.recorded_with(last) if one.position <= last]
    found = await _last_event(stream, entries, caller, service)
    if chosen.names and await service.histories.protection(stream):
        chosen = Chosen()
    opened = await _opened(history, events, chosen, service)
    newest = await _newest(max(last, found.proof.manifest.log_size if found else 0), service)
    checkpoints = await _checkpoints(instant, newest, service)
    return _sent(
        Evidence(
            issuer=_issuer(service),
            stream=stream,
            case=investigation.case,
            asked_by=caller.subject,
            made_at=service.clock.now(),
            at=instant,
            position=last,
            disclosed=chosen.names,
            events=await _events(history, opened, entries, newest, service),
            checkpoints=checkpoints,
            growth=await _growth(checkpoints, service),
            completeness=await _completeness(found, newest, service) if found else None,
            state=state,
        )
    )


async def absence(stream: str, caller: Principal, service: Services) -> Response | None:
    """Make the evidence that a stream has no events, up to the newest manifest; it waits for one of
    all that is in the log by now. ``None`` if there is an event.

    Raises:
        Unavailable: there is no such manifest yet.
        Corrupt: the map was changed, and proves neither.
    """
    now = service.clock.now()
    size, _ = await service.reader.positions()
    await _integrated(size, caller, service)
    found = await _proof(stream, size, caller, service)
    if found is None or found.manifest.log_size < size:
        raise Unavailable("No manifest has been made yet: try again.")
    if not found.is_absent(stream):
        return None
    newest = await _newest(found.manifest.log_size, service)
    return _sent(
        Evidence(
            issuer=_issuer(service),
            stream=stream,
            case="",
            asked_by=caller.subject,
            made_at=now,
            at=now,
            position=found.manifest.log_size,
            disclosed=(),
            events=[],
            checkpoints={"newest": newest},
            growth={},
            completeness=await _completeness(_Last(found, None), newest, service),
            state=None,
        )
    )


def _issuer(service: Services) -> Issuer:
    return Issuer(
        origin=service.trees.origin,
        policy=_policy(service.policy),
        log_keys=list(service.log_verifiers()),
        witness_keys=[key for key in service.witnessed.keys if key.kind == COSIGNATURE],
        service_keys=service.receipts.jwks(),
        sign=partial(service.receipts.sign, kind=SIGNATURE),
    )


def _sent(evidence: Evidence) -> Response:
    name = f"evidence-{evidence.stream}-{evidence.position}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(evidence.zipped(), 200, headers, "application/zip")


async def _integrated(position: int, caller: Principal, service: Services) -> None:
    async def is_there() -> bool:
        return await service.trees.size(EVENTS) >= position

    if not await service.waits.until(is_there, WAIT_S, caller.subject):
        raise Unavailable("The last event is not in the tree yet: try again.")


class _Last(NamedTuple):
    """``event`` is the last one; ``None`` where there is none."""

    proof: LastEventProof
    event: LastEvent | None


async def _last_event(
    stream: str, entries: Entries, caller: Principal, service: Services
) -> _Last | None:
    """Prove which event was the permit's last by a manifest, by one with the last of ``entries`` if
    that is made in time."""
    with suppress(BadProof, Corrupt):
        proof = await _proof(stream, entries[-1].position, caller, service)
        covered = [one for one in entries if proof and one.position <= proof.manifest.log_size]
        if proof and covered:
            last = LastEvent(covered[-1].version, covered[-1].leaf, covered[-1].salt)
            proof.check(stream, last)
            return _Last(proof, last)
    return None


async def _proof(
    stream: str, position: int, caller: Principal, service: Services
) -> LastEventProof | None:
    """Return what the newest manifest in the tree proves of a stream, of one with ``position`` if
    that is made in time.

    Raises:
        Corrupt: the map was changed.
    """
    trees, proofs = service.trees, list[LastEventProof]()

    async def is_there() -> bool:
        proof = await trees.last_event(stream)
        if proof and await trees.size(MANIFESTS) >= proof.position:
            proofs.append(proof)
        if proof is None or proof.manifest.log_size < position:
            await trees.ask_for_manifest()
            return False
        return bool(proofs) and proofs[-1] is proof

    await service.waits.until(is_there, WAIT_S, caller.subject)
    return proofs[-1] if proofs else None


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


_Opened = tuple[EventAnswer, list[bytes]]
"""An event, and the disclosures of its chosen fields."""


async def _opened(
    history: StreamHistory, events: Sequence[EventAnswer], chosen: Chosen, service: Services
) -> list[_Opened]:
    if not chosen.names:
        return [(event, []) for event in events]
    found = list[_Opened]()
    disclosures = await service.histories.disclosures(history.events)
    for recorded, event, own in zip(history.events, events, disclosures, strict=True):
        if own is None and recorded.event is not None:
            event = with_stated(event, recorded.event, chosen)  # noqa: PLW2901
        found.append((event, [each.text for each in own or [] if chosen.covers(each.name)]))
    return found


async def _events(
    history: StreamHistory,
    events: Sequence[_Opened],
    entries: Entries,
    newest: Note,
    service: Services,
) -> list[ProvedEvent]:
    by_position, size = {one.position: one for one in entries}, _size(newest)
    proved = []
    for recorded, (event, disclosures) in zip(history.events, events, strict=True):
        index = recorded.position - 1
        path = await _path(service.trees.inclusion(EVENTS, index, size))
        proof = TlogProof(index, tuple(path), newest)
        one = by_position[recorded.position]
        proved.append(ProvedEvent(event, recorded.stored.state, one, proof, disclosures))
    return proved


async def _completeness(last: _Last, newest: Note, service: Services) -> Completeness | None:
    position, manifest = last.proof.position, last.proof.manifest
    checkpoint = await service.trees.oldest(MANIFESTS, position)
    if checkpoint is None:
        return None
    index, trees = position - 1, service.trees
    path = await _path(trees.inclusion(MANIFESTS, index, _size(checkpoint)))
    return Completeness(
        manifest=manifest,
        last=last.event,
        beside=None if last.event else last.proof.proof.leaf,
        path=last.proof.proof.siblings,
        entry_proof=TlogProof(index, tuple(path), checkpoint),
        consistency=await _path(trees.consistency(EVENTS, manifest.log_size, _size(newest))),
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
