"""The live code on the holder's phone (亮证)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Header, Request, Security

from api.http import documents, dpop
from api.http.json_bodies import JsonRoute
from api.http.origin import origin_of
from api.http.reading import known, well_formed
from api.http.roles import Scope
from api.http.security import device_proof, require
from api.http.services import Services, services
from api.http.tokens import Principal
from domain.errors import HolderIsRestricted, PermitEnded
from domain.standing import PersonalData
from ledger.checks.display_codes import Display
from ledger.errors import ProofReplayed

from .answers import DisplayCodeAnswer
from .schemas import DisplayCodeBody

router = APIRouter(tags=["holder"], route_class=JsonRoute)

QR_VERSION_MAX = 5
"""37 modules a side: read at arm's length from the smallest phone."""
QUIET_ZONE_MODULES = 4
"""White space on each side (ISO/IEC 18004), part of the picture."""

Holder = Annotated[Principal, Security(require(Scope.HOLDER))]
Service = Annotated[Services, Depends(services)]


@router.post(
    "/v1/permits/{permit_number}/electronic/display-codes",
    status_code=201,
    responses=documents.problems(401, 403, 404, 409, 413, 422, 429, 503),
)
async def mint(
    permit_number: str,
    holder: Holder,
    service: Service,
    request: Request,
    body: DisplayCodeBody | None = None,
    _dpop: Annotated[
        str | None,
        Header(
            alias="DPoP",
            description="RFC 9449: a JWT of this request and its token (`ath`), signed with the"
            " phone's key (ES256)",
        ),
    ] = None,
) -> DisplayCodeAnswer:
    """Make a live code (亮证码) for the phone that proves its key: good for one check, briefly.

    A permit that is suspended or has ended gets one as well; its check has the outcome.
    """
    proof = device_proof(request, service)
    number = well_formed(permit_number)
    if proof.device not in await _own_devices(number, holder, service):
        raise dpop.refused("The permit is not bound to this key.")
    service.limits.mint(number)
    challenge = body.challenge if body else None
    display = Display(number, holder.subject, proof.device, proof.proof_id, challenge)
    now, life_s = service.clock.now(), service.policy.display_code_life_s
    try:
        code = await service.codes.mint(display, now, life_s)
    except ProofReplayed as error:
        raise dpop.refused(error.detail) from None
    url = f"{origin_of(request.scope, service.public_url)}/v/{code}".upper()
    return DisplayCodeAnswer(
        code=code,
        issued_at=now,
        expires_at=now + timedelta(seconds=life_s),
        refresh_after_s=life_s * 2 // 3,
        url=url,
        qr_svg=_qr(url),
    )


async def _own_devices(number: str, holder: Principal, service: Services) -> Collection[str]:
    """Return the thumbprints of the phones that are bound, with every write acknowledged before: a
    phone that was just revoked gets no code.

    Raises:
        UnknownPermit: there is none, or it is another holder's.
        HolderIsRestricted, PermitEnded: the holder's data must not be shown.
    """
    seen = await service.fresh.electronic(number)
    facts = known(seen.facts, holder_id=holder.subject)
    if facts.personal_data is PersonalData.RESTRICTED:
        raise HolderIsRestricted
    if facts.personal_data is PersonalData.ERASED:
        raise PermitEnded
    devices: Collection[str] = seen.row["devices"]
    return devices


def _qr(url: str) -> str | None:
    """Draw a QR code in alphanumeric mode; ``None`` if the address is too long."""
    try:
        code = segno.make_qr(url, error="m", boost_error=False)
    except segno.DataOverflowError:
        return None
    if int(code.version) > QR_VERSION_MAX:
        return None
    return code.svg_inline(
        border=QUIET_ZONE_MODULES, scale=1, omitsize=True, dark="#000", light="#fff"
    )
