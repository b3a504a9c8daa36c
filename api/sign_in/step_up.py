"""Step-up authentication (RFC 9470): a sign-in that was minutes ago and compared the face.

The provider states it in the claim ``acr`` or, by the names of RFC 8176, in ``amr``, and the time
in ``auth_time``: of an access token, or for a page's session of the ID token.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from api.http.problems import HttpProblem
from api.http.tokens import LEEWAY_S, Authentication, Principal
from domain.device import FaceMatch, FaceMatchProof

AGE_MAX_S: Final = 300
CODE: Final = "INSUFFICIENT_USER_AUTHENTICATION"


@dataclass(frozen=True, slots=True)
class StepUp:
    """Which values of the two claims mean that the provider has compared the face."""

    acr: tuple[str, ...]
    amr: tuple[str, ...]

    def face_match(self, given: Authentication, now: float | None = None) -> FaceMatch | None:
        """The face match that a sign-in proves; ``None`` without one, or if it is too old."""
        now = time.time() if now is None else now
        if given.at is None or not -LEEWAY_S <= now - given.at <= AGE_MAX_S:
            return None
        named = [given.acr] if given.acr in self.acr else [m for m in given.amr if m in self.amr]
        if not named:
            return None
        at = datetime.fromtimestamp(given.at, UTC)
        return FaceMatch(given.issuer, None, True, FaceMatchProof.STEP_UP, named[0], at)

    def parameters(self) -> dict[str, str]:
        """What a request for authentication asks for (OpenID Connect Core 1.0 §3.1.2.1)."""
        asked = {"acr_values": " ".join(self.acr)} if self.acr else {}
        return {**asked, "max_age": str(AGE_MAX_S)}

    def required(self, caller: Principal, detail: str) -> HttpProblem:
        """Make the 401 of RFC 9470 §3; the challenge's description is the same for every cause."""
        scheme = "Bearer" if caller.bound_to is None else "DPoP"
        parts = [
            f'{scheme} error="insufficient_user_authentication"',
            f'error_description="a comparison of the face within {AGE_MAX_S} s is required"',
            *([f'acr_values="{" ".join(self.acr)}"'] if self.acr else []),
            f"max_age={AGE_MAX_S}",
        ]
        return HttpProblem(401, CODE, detail, {"WWW-Authenticate": ", ".join(parts)})
