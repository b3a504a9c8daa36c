"""Decodes codes in camera pictures, for browsers that can't."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Security
from pydantic import BaseModel, Field

from api.http import documents
from api.http.problems import HttpProblem
from api.http.roles import Scope
from api.http.security import require
from api.http.services import Services, services
from api.http.tokens import Principal
from api.pictures.processes import NotAPicture

FRAMES: Final = "/v1/verifications/frames"
FRAME_BYTES_MAX = 512 * 1024
TEXT_LENGTH_MAX = 512
MEDIA_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG"}

router = APIRouter(tags=["verifier"])


class FrameAnswer(BaseModel):
    """The text of this service's code in the picture, a live code or a permit number; ``null`` if
    there is none, or it can't be decoded."""

    text: Annotated[str, Field(max_length=TEXT_LENGTH_MAX)] | None
    other_code: bool = Field(
        False, description="there are codes in the picture, but none of this service"
    )


_PICTURE = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}


@router.post(
    FRAMES,
    response_model_exclude_defaults=True,
    responses=documents.problems(401, 403, 413, 422, 429, 503) | {200: {"model": FrameAnswer}},
    openapi_extra={
        "requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, _PICTURE)}
    },
)
async def read_frame(
    request: Request,
    verifier: Annotated[Principal, Security(require(Scope.VERIFY))],
    service: Annotated[Services, Depends(services)],
) -> FrameAnswer:
    """Decode this service's code in a camera picture, whatever other codes are in it.

    The picture is not kept."""
    service.frames_limit.spend(verifier.subject)
    media_type, _, _parameters = request.headers.get("content-type", "").partition(";")
    form = MEDIA_TYPES.get(media_type.strip().lower())
    if form is None:
        raise HttpProblem(422, "INVALID_REQUEST", "body: a JPEG or PNG picture is expected")
    try:
        found = await service.decoders.read(await request.body(), form, verifier.subject)
    except NotAPicture as error:
        raise HttpProblem(422, "INVALID_REQUEST", f"body: {error}") from None
    return FrameAnswer(text=found.text, other_code=found.other_code)
