"""One check: decided on the present state, recorded, and only then answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog
from starlette.responses import Response

from api.http.rendering import Json
from api.http.services import Services
from api.http.tokens import Principal
from api.permits.presentation import disclosed
from domain import permit_number
from domain.policy import Policy
from domain.standing import Standing
from domain.verification import (
    CardCode,
    Reason,
    Track,
    Verdict,
    needs_code,
    scenario_fields,
    scenario_on_record,
    verify_card,
    verify_display,
)
from ledger.checks.card_codes import CardCodes
from ledger.checks.display_codes import StoredCode
from ledger.checks.log import Check, new_check_id
from ledger.crypto.holder_keys import HolderKey
from ledger.errors import Corrupt, Unavailable
from projections.queries.check_batcher import CheckLookup, CheckQuery
from projections.queries.permits import PermitRow, Person

from .receipts import ReceiptSigner
from .schemas import CheckBody, ElectronicCheckBody, PhysicalCheckBody

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """A recorded check; ``permit`` holds the fields that are disclosed."""

    check: Check
    permit: Json


async def answer(body: CheckBody, verifier: Principal, service: Services) -> Answered:
    """Decide and record a check.

    The fields that may be disclosed are decided before anything is read. A code is used up whatever
    the outcome, since it was shown.

    Raises:
        HttpProblem: 429; nothing was read.
        Unavailable: there is no answer; a code may have been used up.
    """
    fields = scenario_fields(service.policy, body.scenario, verifier.scenarios)
    if not fields:
        service.fruitless.spend(verifier.subject)
    verifier_index = service.limits.verifier_index(verifier.subject)
    asked = _query(body, verifier_index, service)
    service.limits.check(verifier_index, asked.permit_number if fields else None, body.scenario)
    looked_up = _trusted(asked, await service.checks.look_up(asked), service)
    found, is_present = await _present(body, looked_up, service)
    code = None
    if fields and isinstance(body, PhysicalCheckBody):
        standing = service.standing(found.seen.facts) if found.seen.facts else None
        number = found.permit_number
        code = code_of(body, number, standing, service.policy, service.card_codes)
    verdict = _NOT_ALLOWED
    if fields:
        verdict = verdict_of(body, found, service, code) if is_present else _UNDETERMINED
        if code is CardCode.WRONG:
            verdict = UNKNOWN
    key, verdict = await _key(body, found, verdict, service)
    permit: Json = {}
    if fields and found.seen.facts and verdict.reason is None:
        if person := await _person(found.seen, key, service):
            permit = disclosed(fields, service.standing(found.seen.facts), found.seen, person)
        else:
            verdict = _UNDETERMINED
    check = new_check(
        body,
        verifier,
        verdict,
        permit,
        checked_at=asked.at,
        permit_number=found.permit_number,
        as_of_position=found.seen.as_of_position,
        code=asked.code_digest.hex() if asked.code_digest else None,
        device=found.device,
        card_code=code,
    )
    await service.checks.record(check.record(verifier_index, key, service.check_proofs))
    return Answered(check, permit)


_NOT_ALLOWED = Verdict(Reason.SCENARIO_NOT_ALLOWED)
_UNDETERMINED = Verdict(Reason.UNDETERMINED)
UNKNOWN = Verdict(Reason.UNKNOWN_PERMIT)


def _query(body: CheckBody, verifier_index: bytes, service: Services) -> CheckQuery:
    now = service.clock.now()
    if not isinstance(body, ElectronicCheckBody):
        # Anything else is neither read nor kept: a citizen number may be in the wrong field.
        return CheckQuery(now, permit_number=permit_number.parse(body.permit_number))
    digests = service.codes.digests
    return CheckQuery(
        now,
        code_digest=digests.of_code(body.code),
        challenge_digest=digests.of_challenge(body.challenge) if body.challenge else None,
        verifier_index=verifier_index,
        scenario=body.scenario,
    )


def _trusted(asked: CheckQuery, found: CheckLookup, service: Services) -> CheckLookup:
    """Return what was found; a code that this service did not store like this is not live."""
    if asked.code_digest is None or not found.is_live:
        return found
    row = found.key_row
    stored = StoredCode(
        asked.code_digest,
        row["shown_permit"],
        row["shown_holder"],
        row["shown_by"],
        asked.challenge_digest,
        row["code_issued_at"],
        row["code_expires_at"],
    )
    if service.codes.digests.is_own(stored, row["code_mac"]):
        return found
    _log.error("a live code was not stored by the service")
    return found._replace(is_live=False)


async def _present(
    body: CheckBody, found: CheckLookup, service: Services
) -> tuple[CheckLookup, bool]:
    """Return what was found, and whether it includes everything committed before this check.

    Views that are behind may lack nothing of this permit; else wait for them for a bounded time;
    else fold the permit's own events. The result of using the code is kept.
    """
    if isinstance(body, ElectronicCheckBody) and not found.is_live:
        return found, True  # a code that is not live belongs to no permit
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
        _log.error("a permit can't be folded for a check", reason=error.detail)
        return found, False
    return found._replace(seen=seen, key_row=seen.row), True


def verdict_of(
    body: CheckBody, found: CheckLookup, service: Services, code: CardCode | None = None
) -> Verdict:
    """Decide on what was found, as of today; ``code`` is what the check of a card brought."""
    seen = found.seen
    standing = service.standing(seen.facts) if seen.facts else None
    if isinstance(body, PhysicalCheckBody):
        return verify_card(standing, body.card_serial, code)
    is_bound = found.device in (seen.row["devices"] or ())
    return verify_display(standing, is_live=found.is_live, is_bound=is_bound)


def code_of(
    body: PhysicalCheckBody,
    number: str | None,
    standing: Standing | None,
    policy: Policy,
    codes: CardCodes,
) -> CardCode | None:
    """Return what the check brings as the code on the card; ``None`` if it needs none and brings
    none."""
    if body.card_code is None:
        return CardCode.MISSING if needs_code(standing, policy) else None
    is_right = number is not None and codes.is_on(body.card_code, number, body.card_serial)
    return CardCode.RIGHT if is_right else CardCode.WRONG


async def _key(
    body: CheckBody, found: CheckLookup, verdict: Verdict, service: Services
) -> tuple[HolderKey | None, Verdict]:
    """Return the key that seals the record. Without one, a code takes as long all the same, so that
    the response time does not reveal whether it ever existed."""
    try:
        key = await service.reader.key_in(found.key_row)
        if key is None and isinstance(body, ElectronicCheckBody):
            await service.reader.unwrap_decoy()
    except (Corrupt, Unavailable) as error:
        _log.error("a check can't be sealed", reason=error.detail)
        return None, verdict if verdict.reason else _UNDETERMINED
    return key, verdict


async def _person(seen: PermitRow, key: HolderKey | None, service: Services) -> Person | None:
    """Return the person to show; ``None`` if the record can't be opened."""
    try:
        return await service.reader.person(seen, "physical", key)
    except (Corrupt, Unavailable) as error:
        _log.error("a person can't be shown", reason=error.detail)
        return None


def new_check(
    body: CheckBody,
    verifier: Principal,
    verdict: Verdict,
    permit: Json,
    *,
    checked_at: datetime,
    permit_number: str | None,
    as_of_position: int,
    code: str | None = None,
    device: str | None = None,
    card_code: CardCode | None = None,
) -> Check:
    """Make the record of a check, here and beside a remote database."""
    return Check(
        check_id=new_check_id(),
        checked_at=checked_at,
        verifier=verifier.subject,
        scenario=scenario_on_record(body.scenario),
        track=body.track,
        permit_number=permit_number,
        card_serial=body.card_serial if isinstance(body, PhysicalCheckBody) else None,
        code=code,
        device=device,
        outcome=verdict.outcome,
        reason=verdict.reason,
        fields=list(permit),
        as_of_position=as_of_position,
        card_code=card_code,
    )


def signed_response(
    check: Check, permit: Json, receipts: ReceiptSigner, age: Json | None = None, **unsigned: Any
) -> Response:
    """Respond with a check and its receipt; the receipt includes ``age``, where there is one."""
    content = signed_document(check, permit, receipts, age, **unsigned)
    return Response(orjson.dumps(content), 200, media_type="application/json")


def signed_document(
    check: Check, permit: Json, receipts: ReceiptSigner, age: Json | None = None, **unsigned: Any
) -> Json:
    """Render a check with its receipt."""
    signed = age or {}
    receipt = receipts.sign({**receipt_claims(check), **signed})
    return {**_claims_of(check), **signed, **unsigned, "permit": permit, "receipt": receipt}


def receipt_claims(check: Check) -> Json:
    """Return the claims of a receipt, with the permit number if the verifier knew it already or was
    shown it live."""
    known = number_known_to_verifier(check)
    number = {"permit_number": known} if known else {}
    return {**_claims_of(check), **number, "iat": int(check.checked_at.timestamp())}


def number_known_to_verifier(check: Check) -> str | None:
    """Return the permit number, if the verifier has sent it or was shown it live."""
    is_known = check.track == Track.PHYSICAL or check.reason not in {
        Reason.NOT_LIVE,
        Reason.SCENARIO_NOT_ALLOWED,
    }
    return check.permit_number if is_known else None


def _claims_of(check: Check) -> Json:
    """Return what answer and receipt have in common."""
    return {
        "check_id": str(check.check_id),
        "outcome": check.outcome,
        "reason": check.reason,
        "scenario": check.scenario,
        "track": check.track,
        "checked_at": check.checked_at.isoformat(),
        "as_of_position": check.as_of_position,
    }
