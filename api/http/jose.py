"""JOSE headers as RFC 7515 §4 has them, of bearer tokens and of DPoP proofs alike.

A member that is not understood is ignored, unless ``crit`` names it. No extension is implemented
here, so a header with ``crit`` is refused whatever it lists; an empty list is not allowed at all
(§4.1.11). ``jku``, ``x5u``, ``x5c`` and, in a token, ``jwk`` are never followed: the message does
not choose its key.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

HEADER_LENGTH_MAX = 8192
SIGNATURE_LENGTH_MAX = 2048
"""Both in base64url."""

NUMERIC_DATE_MAX = 2**40
"""Seconds; a date given in milliseconds lies above it."""

PRIVATE_MEMBERS: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}
"""Of JWKs of every kind (RFC 7518 §6, RFC 8037 §2): a key that has one is no public key."""

UNREADABLE: Final = (
    JoseError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)
"""What reading a stranger's JWS may raise."""


class Registry(jws.JWSRegistry):
    """Of these algorithms; members that it does not know are no error."""

    max_header_length = HEADER_LENGTH_MAX
    max_signature_length = SIGNATURE_LENGTH_MAX

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=algorithms, strict_check_header=False)


def header_of(compact: str, registry: Registry) -> dict[str, Any]:
    """The header of a compact JWS whose signature is not verified yet.

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
    """Seconds since 1970, as in ``exp``, ``nbf`` and ``iat`` (RFC 7519 §2).

    Raises:
        ValueError: no JSON number, or none that could be a date.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number of seconds is expected")
    if not abs(value) <= NUMERIC_DATE_MAX:  # NaN compares with nothing
        raise ValueError("the number of seconds is out of bounds")
    return float(value)
