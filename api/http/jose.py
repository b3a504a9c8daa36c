"""JOSE headers (RFC 7515 §4), the same for bearer tokens and DPoP proofs.

Unknown members are ignored, unless ``crit`` names them. No extension is implemented here, so a
header with ``crit`` is refused whatever it lists; an empty list is not allowed at all (§4.1.11).
``jku``, ``x5u``, ``x5c`` and, in a token, ``jwk`` are never followed: a message does not choose the
key that verifies it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Collection
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

HEADER_LENGTH_MAX = 8192
SIGNATURE_LENGTH_MAX = 2048
"""Both in base64url."""

NUMERIC_DATE_MAX = 2**40
"""Seconds; a date in milliseconds is above it."""

PRIVATE_MEMBERS: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}
"""Of JWKs of every kind (RFC 7518 §6, RFC 8037 §2): a key with one of them is not public."""

UNREADABLE: Final = (
    JoseError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)
"""What parsing an untrusted JWS may raise."""


class Registry(jws.JWSRegistry):
    """Allows these algorithms; unknown header members are no error."""

    max_header_length = HEADER_LENGTH_MAX
    max_signature_length = SIGNATURE_LENGTH_MAX

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=algorithms, strict_check_header=False)


def base64url(data: bytes) -> str:
    """Encode without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def header_of(compact: str, registry: Registry) -> dict[str, Any]:
    """Parse the header of a compact JWS; its signature is not verified here.

    Raises:
        UNREADABLE: it is malformed, of another algorithm, or has a critical member.
    """
    header: object = jws.extract_compact(compact.encode(), registry=registry).headers()
    if not isinstance(header, dict):
        raise TypeError("a header is an object")
    if "crit" in header:
        raise ValueError("no critical member is understood")
    registry.check_header(header)
    registry.get_alg(header["alg"])
    return header


def numeric_date(value: object) -> float:
    """Read seconds since 1970, as in ``exp``, ``nbf`` and ``iat`` (RFC 7519 §2).

    Raises:
        ValueError: not a JSON number, or out of bounds for a date.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number of seconds is expected")
    if not abs(value) <= NUMERIC_DATE_MAX:  # NaN compares with nothing
        raise ValueError("the number of seconds is out of bounds")
    return float(value)
