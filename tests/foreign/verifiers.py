"""Verifiers that others wrote: each is asked in its own way, and says yes or no."""

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cbor2 import dumps
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from scitt_cose import sign_sign1, verify_consistency, verify_inclusion, verify_receipt

from tests.foreign.claims import Consistency, Inclusion
from tests.foreign.tools import go_program, node, sigstore
from transparency.notes import NoteSigner

ANSWER_TIMEOUT_S = 900
SCRIPT = Path(__file__).parent / "sigstore.js"


@dataclass
class Go:
    """golang.org/x/mod/sumdb: tlog, note; and filippo.io/torchwood's proofs that travel."""

    program: str = field(default_factory=lambda: go_program("./foreign"))

    def accept(self, claims: Iterable[Inclusion]) -> list[bool]:
        """Each as one text (C2SP tlog-proof), under a policy that trusts the key alone."""
        return self.ask(
            claim.question(
                kind="proof",
                proof=claim.proof_text,
                policy=f"log {claim.key}\nquorum none\n",
            )
            for claim in claims
        )

    def accept_paths(self, claims: Iterable[Inclusion]) -> list[bool]:
        """Without the note: CheckRecord."""
        return self.ask(claim.question(kind="inclusion") for claim in claims)

    def accept_growth(self, claims: Iterable[Consistency]) -> list[bool]:
        """CheckTree."""
        return self.ask(claim.question(kind="consistency") for claim in claims)

    def ask(self, questions: Iterable[str]) -> list[bool]:
        return asked([self.program, "check"], questions)

    def follow(self, url: str, key: str, *token: str) -> subprocess.CompletedProcess[str]:
        """Read a log over HTTP, every leaf of it; prints how many there are."""
        return subprocess.run(
            [self.program, "follow", url, key, *token],
            check=False,
            capture_output=True,
            text=True,
            timeout=ANSWER_TIMEOUT_S,
        )


@dataclass
class Sigstore:
    """@sigstore/verify: the checkpoint and the inclusion proof, as of an entry in Rekor."""

    command: Sequence[str] = field(default_factory=lambda: [node(), str(SCRIPT), str(sigstore())])

    def accept(self, claims: Iterable[Inclusion]) -> list[bool]:
        return asked(self.command, (claim.question() for claim in claims))


@dataclass(frozen=True)
class Receipt:
    """What scitt-cose takes: a COSE receipt (RFC 9942) over a root, with our path in it."""

    message: bytes
    entry: bytes
    public_pem: bytes


@dataclass
class Scitt:
    """scitt-cose. It reads COSE, not notes: the log's own key signs the root once more for it."""

    def accept(self, receipts: Iterable[Receipt]) -> list[bool]:
        return [
            verify_receipt(
                each.message,
                leaf_entry_hex=each.entry.hex(),
                log_public_key_pem=each.public_pem,
            ).ok
            for each in receipts
        ]

    def accept_paths(self, claims: Iterable[Inclusion]) -> list[bool]:
        return [
            verify_inclusion(
                claim.entry.hex(),
                claim.index,
                claim.size,
                [each.hex() for each in claim.path],
                claim.root.hex(),
            )
            for claim in claims
        ]

    def accept_growth(self, claims: Iterable[Consistency]) -> list[bool]:
        return [
            verify_consistency(
                claim.old_root.hex(),
                claim.root.hex(),
                claim.old,
                claim.size,
                [each.hex() for each in claim.path],
            )
            for claim in claims
        ]


class CoseLog:
    """A log's key, as COSE has it, and its receipts."""

    VDS, VDP, INCLUSION, RFC9162_SHA256, CWT, ISSUER = 395, 396, -1, 1, 15, 1

    def __init__(self, signer: NoteSigner) -> None:
        key = Ed25519PrivateKey.from_private_bytes(signer.seed)
        self._private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.public_pem = key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        self._issuer = signer.name

    def receipt(self, claim: Inclusion, *, issuer: str | None = None) -> Receipt:
        proof = dumps([claim.size, claim.index, list(claim.path)])
        message = sign_sign1(
            claim.root,
            alg="EdDSA",
            private_key_pem=self._private,
            protected={
                self.VDS: self.RFC9162_SHA256,
                self.CWT: {self.ISSUER: issuer or self._issuer},
            },
            unprotected={self.VDP: {self.INCLUSION: [proof]}},
            detached=True,
        )
        return Receipt(message, claim.entry, self.public_pem)


def asked(command: Sequence[str], questions: Iterable[str]) -> list[bool]:
    lines = list(questions)
    run = subprocess.run(
        list(command),
        input="".join(lines),
        check=False,
        capture_output=True,
        text=True,
        timeout=ANSWER_TIMEOUT_S,
    )
    assert run.returncode == 0, run.stderr
    answers = run.stdout.splitlines()
    assert len(lines) == len(answers), run.stderr
    return [answer == "ok" for answer in answers]
