"""The holder's endpoints: read the own permit, claim it for a phone, revoke a phone."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, Request, Security
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from starlette.responses import Response

from api.http import documents
from api.http.json_bodies import JsonRoute
from api.http.problems import HttpProblem
from api.http.reading import Reads, known, known_tags, listed, reads, shown_permit, well_formed
from api.http.roles import Scope
from api.http.security import credential_digest, require, require_current_number, require_device
from api.http.services import Services, services
from api.http.tokens import Principal
from api.http.writing import answered, command_by
from domain.device import Device
from ledger.commands.runner import Command

from .answers import DevicesAnswer, PermitAnswer
from .face_matches import Claimed
from .schemas import ClaimBody, DeviceKeyBody, DeviceRevocationBody

router = APIRouter(tags=["holder"], route_class=JsonRoute)

Holder = Annotated[Principal, Security(require(Scope.HOLDER))]
HolderCommand = Annotated[Command, Depends(command_by(Scope.HOLDER))]
Service = Annotated[Services, Depends(services)]


@router.get(
    "/v1/me/permit",
    responses=documents.versioned(PermitAnswer),
    dependencies=[Depends(known_tags)],
)
async def own_permit(
    holder: Holder, service: Service, views: Annotated[Reads, Depends(reads)]
) -> Response:
    """Read the own permit."""
    seen = await views.permits.of_holder(holder.subject)
    return shown_permit(service, known(seen.facts), seen)


@router.get("/v1/me/devices", responses=documents.read(DevicesAnswer))
async def devices(
    holder: Holder, service: Service, views: Annotated[Reads, Depends(reads)]
) -> Response:
    """List the phones that can show the own permit, from the log itself."""
    seen = await views.permits.of_holder(holder.subject)
    permit = await service.ledger.permit(known(seen.facts).permit_number)
    bound = [{"device": device, "bound_at": since} for device, since in permit.devices.items()]
    return listed({"permit_number": permit.id, "devices": bound}, seen)


@router.post(
    "/v1/permits/{permit_number}/electronic/claims",
    status_code=201,
    responses=documents.written(PermitAnswer, 201),
)
async def claim(
    permit_number: str,
    body: ClaimBody,
    command: HolderCommand,
    service: Service,
    request: Request,
    _dpop: Annotated[
        str | None,
        Header(
            alias="DPoP",
            description="RFC 9449: a JWT of this request and its token (`ath`), signed with"
            " `device_key` (ES256)",
        ),
    ] = None,
) -> Response:
    """Claim the electronic permit (申领电子居住证) for the device that proves to hold the key."""
    caller = cast("Principal", request.state.principal)
    await require_current_number(caller, service, at_once=True)
    device = _device(body.device_key)
    require_device(request, service, device.thumbprint)
    claimed = Claimed(
        caller=caller,
        nonce=credential_digest(request, service),
        device=device.thumbprint,
        key=command.key,
    )
    match = await service.face_matches.of(body.face_match, claimed)
    return await answered(
        service.ledger.claim(
            well_formed(permit_number),
            command.context.actor,
            device,
            match,
            command,
            confirmed=body.confirmed,
        ),
        service,
        201,
        kept=command,
    )


@router.post(
    "/v1/permits/{permit_number}/electronic/device-revocations",
    responses=documents.written(PermitAnswer),
)
async def revoke_device(
    permit_number: str, body: DeviceRevocationBody, command: HolderCommand, service: Service
) -> Response:
    """Revoke a lost or sold phone."""
    holder_id = command.context.actor
    return await answered(
        service.ledger.revoke_device(well_formed(permit_number), holder_id, body.device, command),
        service,
        kept=command,
    )


def _device(key: DeviceKeyBody) -> Device:
    """Make the device of a public JWK.

    Raises:
        HttpProblem: 422 where x and y are no point of the curve.
    """
    public_key: dict[str, str] = {"kty": key.kty, "crv": key.crv, "x": key.x, "y": key.y}
    try:
        imported = ECKey.import_key(dict(public_key))
        _ = imported.public_key
    except (JoseError, ValueError):
        raise HttpProblem(422, "INVALID_REQUEST", "device_key: not a point on P-256") from None
    return Device(imported.thumbprint(), public_key)
