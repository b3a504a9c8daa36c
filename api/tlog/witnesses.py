"""Witnessed checkpoints of the transparency log, and the policy that defines the quorum."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import Response

from transparency.logs import LOGS, Log
from transparency.witness.policy import KnownLog

from .log import FOR_A_MOMENT, FOR_A_WHILE, TEXT, Service, answer, not_there, text_of

router = APIRouter(tags=["tlog"])


def _witnessed_of(log: Log) -> Callable[..., Awaitable[Response]]:
    async def witnessed(service: Service) -> Response:
        """The newest checkpoint that the quorum of witnesses has cosigned, with all signatures."""
        found = await service.witnessed.newest(log)
        if found is None:
            asked = service.witnessed.has_quorum
            detail = "No checkpoint is witnessed yet." if asked else "No witness is asked for."
            raise not_there(detail, retry=True)
        return answer(str(found), TEXT, FOR_A_MOMENT)

    return witnessed


def _policy_of(log: Log) -> Callable[..., Awaitable[Response]]:
    async def policy(service: Service) -> Response:
        """The signatures that a trusted checkpoint needs: the log's, and the quorum of witnesses
        (C2SP tlog-policy)."""
        origin = log.origin(service.trees.origin)
        url = f"{service.public_url}/tlog{log.suffix}" if service.public_url else None
        logs = [KnownLog(key, url) for key in service.log_verifiers() if key.name == origin]
        text = service.witnessed.policy_text(logs)
        return answer(text.encode("utf-8", "surrogateescape"), TEXT, FOR_A_WHILE)

    return policy


for _log in LOGS.values():
    for _path, _endpoint, _responses in (
        ("/checkpoint/witnessed", _witnessed_of(_log), text_of("a signed note", 404, 503)),
        ("/policy", _policy_of(_log), text_of("a policy")),
    ):
        router.add_api_route(
            f"/tlog{_log.suffix}{_path}",
            _endpoint,
            methods=["GET"],
            name=f"{_log.name}_{_endpoint.__name__}",
            response_class=Response,
            responses=_responses,
        )
