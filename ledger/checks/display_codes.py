"""Live codes (亮证码) and verifiers' challenges: made here, stored as keyed digests only.

Both expire by the ledger's clock, like the permit that they show. A device's proof is good once,
by the clock of the database server, since it authenticates (ADR 3).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg.rows import tuple_row

from domain import live_code
from domain.errors import ChallengeNotOpen
from ledger.crypto import randomness
from ledger.database.connections import translated_errors
from ledger.database.named_sql import Queries
from ledger.errors import ConnectionLost, ProofReplayed, Unavailable
from ledger.eventlog.reads import Pool

KEY_BYTES = 32
CHALLENGE_LENGTH = 8
DRAWS_MAX = 8

_sql = Queries("ledger", "sql/display_codes.sql")


class StoredCode(NamedTuple):
    """A code as the database has it: good for this permit on this phone, between two instants, and
    where there is a challenge, for that one."""

    code_digest: bytes
    permit_number: str
    holder_id: str
    device: str
    challenge_digest: bytes | None
    issued_at: datetime
    expires_at: datetime


class CodeDigests:
    """Digests of codes and challenges, which are all that the database stores."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a display-code key has {KEY_BYTES} bytes")
        self._keyed = hmac.new(key, digestmod="sha256")

    def of_code(self, code: str) -> bytes:
        """32 bytes for the exact text of a code."""
        return self._digest("code", code)

    def of_challenge(self, digits: str) -> bytes:
        return self._digest("challenge", digits)

    def of_proof(self, device: str, proof_id: str) -> bytes:
        return self._digest("proof", f"{device}\0{proof_id}")

    def mac(self, code: StoredCode) -> bytes:
        """32 bytes that bind a code's digest to its permit, holder, phone, challenge and life.

        The database's functions store rows for anyone who may act as the service's role; a digest
        that is stored with another permit would show that permit.
        """
        challenge = code.challenge_digest.hex() if code.challenge_digest else ""
        life = f"{_microseconds(code.issued_at)}\0{_microseconds(code.expires_at)}"
        of_whom = f"{code.permit_number}\0{code.holder_id}\0{code.device}"
        return self._digest(
            "stored code", f"{code.code_digest.hex()}\0{challenge}\0{life}\0{of_whom}"
        )

    def is_own(self, code: StoredCode, mac: bytes | None) -> bool:
        """Whether this service stored this code with these details; compared in constant time."""
        return hmac.compare_digest(self.mac(code), mac or b"")

    def _digest(self, purpose: str, text: str) -> bytes:
        mac = self._keyed.copy()
        mac.update(f"{purpose}\0{text}".encode())
        return mac.digest()


@dataclass(frozen=True, slots=True)
class Display:
    """A request for a code: the permit, the device and its proof; ``challenge`` has the digits that
    the code answers, if any."""

    permit_number: str
    holder_id: str
    device: str
    proof_id: str
    challenge: str | None = None


class DisplayCodes:
    """Borrows a connection of the pool for each code."""

    def __init__(self, pool: Pool, digests: CodeDigests) -> None:
        self._pool = pool
        self.digests = digests

    async def mint(self, display: Display, at: datetime, life_s: int) -> str:
        """Make a code; only the newest of the device's codes stay open.

        Raises:
            ProofReplayed: this proof was used before.
            ChallengeNotOpen: these digits are no open challenge.
            Unavailable
        """
        code = new_code()
        challenge = display.challenge
        stored = StoredCode(
            self.digests.of_code(code),
            display.permit_number,
            display.holder_id,
            display.device,
            self.digests.of_challenge(challenge) if challenge else None,
            at,
            at + timedelta(seconds=life_s),
        )
        refused = await self._ask(
            _sql.mint_code,
            code_digest=stored.code_digest,
            permit_number=stored.permit_number,
            holder_id=stored.holder_id,
            device=stored.device,
            challenge_digest=stored.challenge_digest,
            at=stored.issued_at,
            until=stored.expires_at,
            mac=self.digests.mac(stored),
            proof_digest=self.digests.of_proof(display.device, display.proof_id),
        )
        if refused == "proof":
            raise ProofReplayed
        if refused == "challenge":
            raise ChallengeNotOpen
        return code

    async def ask(self, verifier_index: bytes, scenario: str, at: datetime, life_s: int) -> str:
        """Make a challenge: digits that no other open challenge has.

        Raises:
            Unavailable
        """
        for _ in range(DRAWS_MAX):
            digits = new_challenge()
            if await self._ask(
                _sql.ask_challenge,
                challenge_digest=self.digests.of_challenge(digits),
                verifier_index=verifier_index,
                scenario=scenario,
                at=at,
                until=at + timedelta(seconds=life_s),
            ):
                return digits
        raise Unavailable("Too many challenges are open: try again.")

    async def _ask(self, query: str, **parameters: object) -> Any:
        """One value. Never sent twice, since its proof would be refused the second time."""
        try:
            with translated_errors():
                async with (
                    self._pool.connection() as connection,
                    connection.cursor(row_factory=tuple_row) as cursor,
                ):
                    await cursor.execute(query, parameters)
                    row = await cursor.fetchone()
        except ConnectionLost:
            with translated_errors():
                await self._pool.check()
            raise
        return row[0] if row else None


def _microseconds(instant: datetime) -> int:
    """Since 1970: what the database keeps of an instant."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_code() -> str:
    """26 characters, each worth five random bits."""
    number = randomness.source.bits(live_code.LENGTH * 5)
    return "".join(
        live_code.ALPHABET[number >> 5 * place & 31] for place in range(live_code.LENGTH)
    )


def new_challenge() -> str:
    """Eight decimal digits, which a person can type."""
    # With 64 bits, the remainder's bias is below one in 10^11.
    return f"{randomness.source.bits(64) % 10**CHALLENGE_LENGTH:0{CHALLENGE_LENGTH}}"
