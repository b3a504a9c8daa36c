"""Tokens that insist on a nonce of their own. SoftHSM does not: these stand in for them."""

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pkcs11.exceptions import GeneralError, MechanismParamInvalid

from ledger.errors import KeyUnusable
from permit_ledger.keys.key_encryption import gcm

PLAINTEXT, BOUND_TO = bytes(range(32)), b"holder"


class Writing:
    """Overwrites the nonce that it is given."""

    def __init__(self):
        self.cipher = AESGCM(os.urandom(32))

    def encrypt(self, data, mechanism_param, **_):
        mechanism_param.nonce[:] = os.urandom(12)
        return self.cipher.encrypt(bytes(mechanism_param.nonce), data, mechanism_param.aad)

    def decrypt(self, data, mechanism_param, **_):
        return self.cipher.decrypt(mechanism_param.nonce, data, mechanism_param.aad)


class WritingOverZeros(Writing):
    """Refuses any nonce but zeros."""

    def encrypt(self, data, mechanism_param, **_):
        if any(mechanism_param.nonce):
            raise MechanismParamInvalid
        return super().encrypt(data, mechanism_param=mechanism_param)


class TakingZeros(WritingOverZeros):
    """And really encrypts with them."""

    def encrypt(self, data, mechanism_param, **_):
        if any(mechanism_param.nonce):
            raise MechanismParamInvalid
        return self.cipher.encrypt(bytes(12), data, mechanism_param.aad)


class Appending(Writing):
    """Puts it behind the tag."""

    def encrypt(self, data, mechanism_param, **_):
        nonce = os.urandom(12)
        return self.cipher.encrypt(nonce, data, mechanism_param.aad) + nonce


class Broken(Writing):
    """Decrypts nothing."""

    def decrypt(self, *_, **__):
        raise GeneralError


@pytest.mark.parametrize("kind", [Writing, WritingOverZeros])
def test_a_nonce_that_the_token_writes_is_kept(kind):
    """It is the one that opens the wrapped key."""
    key = kind()
    wrapped = gcm.seal(key, PLAINTEXT, BOUND_TO)

    assert PLAINTEXT == gcm.unseal(key, wrapped[:12], wrapped[12:], BOUND_TO)
    assert 60 == len(wrapped)
    assert any(wrapped[:12])
    assert gcm.works(key)


@pytest.mark.parametrize("kind", [TakingZeros, Appending])
def test_another_way_to_encrypt_is_refused(kind):
    """Above all the same nonce twice."""
    with pytest.raises(KeyUnusable):
        gcm.seal(kind(), PLAINTEXT, BOUND_TO)


def test_a_token_that_decrypts_nothing_is_unusable():
    """So that a failure is not put down to the wrapped key."""
    assert not gcm.works(Broken())
