"""AES-256-GCM inside a token."""

from __future__ import annotations

from typing import Any, cast

from pkcs11 import GCMParams, Mechanism, PKCS11Error
from pkcs11.exceptions import ArgumentsBad, MechanismParamInvalid

from ledger.crypto.randomness import source
from ledger.errors import KeyUnusable

from .envelope import KEY_BYTES, NONCE_BYTES, SEALED_BYTES, TAG_BYTES


def seal(key: Any, plaintext: bytes, bound_to: bytes) -> bytes:
    """Encrypt to nonce ‖ ciphertext ‖ tag, 60 bytes for 32.

    The nonce is read again afterwards: a token that uses its own writes it into the parameter, and
    some of those accept only zeros there.

    Raises:
        KeyUnusable: the token encrypts in another way.
        PKCS11Error: the token does not encrypt.
    """
    nonce = bytearray(source.take(NONCE_BYTES))
    try:
        sealed = _sealed(key, plaintext, nonce, bound_to)
    except (ArgumentsBad, MechanismParamInvalid):
        nonce = bytearray(NONCE_BYTES)
        sealed = _sealed(key, plaintext, nonce, bound_to)
        if not any(nonce):
            raise KeyUnusable("The token encrypts with a nonce that it does not return.") from None
    if len(sealed) != SEALED_BYTES:
        raise KeyUnusable(
            f"The token gives {len(sealed)} bytes, not {SEALED_BYTES}: another AES-GCM than usual."
        )
    return bytes(nonce) + sealed


def unseal(key: Any, nonce: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Decrypt.

    Raises:
        PKCS11Error: the tag is wrong (the kind differs between tokens), or no answer.
    """
    params = GCMParams(nonce, bound_to, TAG_BYTES * 8)
    return cast("bytes", key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=params))


def works(key: Any) -> bool:
    """Whether the token decrypts what it has just encrypted.

    A wrong tag is CKR_GENERAL_ERROR for one token, CKR_ENCRYPTED_DATA_INVALID for another: this
    distinguishes a wrong key from a token that does not work.
    """
    probe = source.take(KEY_BYTES)
    try:
        wrapped = seal(key, probe, b"probe")
        return unseal(key, wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], b"probe") == probe
    except PKCS11Error:
        return False


def _sealed(key: Any, plaintext: bytes, nonce: bytearray, bound_to: bytes) -> bytes:
    params = GCMParams(cast("bytes", nonce), bound_to, TAG_BYTES * 8)
    return cast(
        "bytes", key.encrypt(plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=params)
    )
