"""One check from question to answer: decided on the present, recorded, and only then told."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from api.http.rendering import Json
from api.http.services import Services
from api.http.tokens import Principal
from api.permits.presentation import disclosed
from domain import permit_number
from domain.verification import (
    Reason,
    Track,
    Verdict,
    scenario_fields,
    scenario_on_record,
    verify_card,
    verify_display,
)
from ledger.checks.log import Check, new_check_id
from ledger.crypto.holder_keys import HolderKey
from ledger.errors import Corrupt, Unavailable
from projections.queries.check_batcher import CheckLookup, CheckQuery
from projections.queries.permits import PermitRow, Person

from .schemas import CheckBody, ElectronicCheckBody, PhysicalCheckBody

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """A check that is on record; ``permit`` holds what is shown."""

    check: Check
    permit: Json


async def answer(body: CheckBody, verifier: Principal, service: Services) -> Answered:
    """Which fields may be shown is decided before anything is looked up; a code is used whatever
    the check comes to, since it was shown.

    Raises:
        HttpProblem: 429, nothing was looked up.
        Unavailable: nothing is answered; a code may be used.
    """
    fields = scenario_fields(service.policy, body.scenario, verifier.scenarios)
    verifier_index = service.limits.verifier_index(verifier.subject)
    asked = _look_up(body, verifier_index, service)
    service.limits.check(verifier_index, asked.permit_number)
    found, is_present = await _present(body, await service.checks.look_up(asked), service)
    verdict = _NOT_ALLOWED
    if fields:
        verdict = verdict_of(body, found, service) if is_present else _UNDETERMINED
    key, verdict = await _key(body, found, verdict, service)
    permit: Json = {}
    if fields and found.seen.facts and verdict.reason is None:
        if person := await _person(found.seen, key, service):
            permit = disclosed(fields, service.standing(found.seen.facts), found.seen, person)
        else:
            verdict = _UNDETERMINED
    check = Check(
        check_id=new_check_id(),
        checked_at=asked.at,
        verifier=verifier.subject,
        scenario=scenario_on_record(body.scenario),
        track=body.track,
        permit_number=found.permit_number,
        card_serial=body.card_serial if isinstance(body, PhysicalCheckBody) else None,
        code=asked.code_digest.hex() if asked.code_digest else None,
        device=found.device,
        outcome=verdict.outcome,
        reason=verdict.reason,
        fields=list(permit),
        as_of_position=found.seen.as_of_position,
    )
    await service.checks.record(check.record(verifier_index, key))
    return Answered(check, permit)


_NOT_ALLOWED = Verdict(Reason.SCENARIO_NOT_ALLOWED)
_UNDETERMINED = Verdict(Reason.UNDETERMINED)


def _look_up(body: CheckBody, verifier_index: bytes, service: Services) -> CheckQuery:
    now = service.clock.now()
    if not isinstance(body, ElectronicCheckBody):
        # Nothing else is looked up or kept: a citizen number may be in the wrong field.
        return CheckQuery(now, permit_number=permit_number.parse(body.permit_number))
    digests = service.codes.digests
    return CheckQuery(
        now,
        code_digest=digests.of_code(body.code),
        challenge_digest=digests.of_challenge(body.challenge) if body.challenge else None,
        verifier_index=verifier_index,
        scenario=body.scenario,
    )


async def _present(
    body: CheckBody, found: CheckLookup, service: Services
) -> tuple[CheckLookup, bool]:
    """What was found, and whether it holds everything committed before this check came in.

    Where the views are behind: they may lack nothing of this permit; else they are waited for, a
    moment; else the permit's own events tell. What became of the code stays.
    """
    if isinstance(body, ElectronicCheckBody) and not found.is_live:
        return found, True  # a code that is not live says nothing of any permit
    if found.is_present or found.is_quarantined:
        return found, not found.is_quarantined
    if await service.views.wait_for(found.seen.head, service.check_wait_s):
        again = await service.checks.look_up(CheckQuery(service.clock.now(), found.permit_number))
        found = found.with_permit_of(again)
        if found.is_present or found.is_quarantined:
            return found, not found.is_quarantined
    try:
        seen = await service.folder.permit(found.permit_number or "")
    except (Corrupt, Unavailable) as error:
        _log.error("a permit's events can't tell how it stands", reason=error.detail)
        return found, False
    return found._replace(seen=seen, key_row=seen.row), True


def verdict_of(body: CheckBody, found: CheckLookup, service: Services) -> Verdict:
    """Decide on what was found, as of today."""
    seen = found.seen
    standing = service.standing(seen.facts) if seen.facts else None
    if isinstance(body, PhysicalCheckBody):
        return verify_card(standing, body.card_serial)
    is_bound = found.device in (seen.row["devices"] or ())
    return verify_display(standing, is_live=found.is_live, is_bound=is_bound)


async def _key(
    body: CheckBody, found: CheckLookup, verdict: Verdict, service: Services
) -> tuple[HolderKey | None, Verdict]:
    """What the record is sealed with. Where there is nobody's, a code costs the same all the same:
    how long an answer takes does not tell whether it ever existed."""
    try:
        key = await service.reader.key_in(found.key_row)
        if key is None and isinstance(body, ElectronicCheckBody):
            await service.reader.unwrap_decoy()
    except (Corrupt, Unavailable) as error:
        _log.error("a check can't be sealed", reason=error.detail)
        return None, verdict if verdict.reason else _UNDETERMINED
    return key, verdict


async def _person(seen: PermitRow, key: HolderKey | None, service: Services) -> Person | None:
    """Who is to be shown. A record that can't be opened is not shown as somebody else's."""
    try:
        return await service.reader.person(seen, "physical", key)
    except (Corrupt, Unavailable) as error:
        _log.error("a person can't be shown", reason=error.detail)
        return None


def receipt_claims(check: Check) -> Json:
    """What a receipt says: the permit's number where the verifier knew it, or was shown it live."""
    told = check.track == Track.PHYSICAL or check.reason not in {
        Reason.NOT_LIVE,
        Reason.SCENARIO_NOT_ALLOWED,
    }
    number = {"permit_number": check.permit_number} if check.permit_number and told else {}
    return {**claims_of(check), **number, "iat": int(check.checked_at.timestamp())}


def claims_of(check: Check) -> Json:
    """What answer and receipt have in common."""
    return {
        "check_id": str(check.check_id),
        "outcome": check.outcome,
        "reason": check.reason,
        "scenario": check.scenario,
        "track": check.track,
        "checked_at": check.checked_at.isoformat(),
        "as_of_position": check.as_of_position,
    }
