"""Key-encryption keys in a token, which encrypts with them and never exports them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import pkcs11
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass

from ledger.errors import KeyUnusable

from . import envelope, gcm, names
from .token import Token, check
from .uri import TokenUri

_REQUIRED = {
    Attribute.KEY_TYPE: KeyType.AES,
    Attribute.VALUE_LEN: envelope.KEY_BYTES,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.ENCRYPT: True,
    Attribute.DECRYPT: True,
}


class TokenKey:
    """A KEK in a token; thread-safe, one call at a time."""

    is_remote = True

    def __init__(self, kek_id: str, token: Token, label: str) -> None:
        self.kek_id = kek_id
        self._token = token
        self._label = label
        self._found: tuple[pkcs11.Session, pkcs11.Object] | None = None

    def __repr__(self) -> str:
        return f"TokenKey({self.kek_id!r}, {self._token!r})"

    def wrap(self, key: bytes, holder_id: str) -> bytes:
        """Wrap a key, to 60 bytes.

        Raises:
            ValueError: the key does not have 32 bytes.
            KeyUnusable: the token has no such KEK any more, or no AES-GCM.
            Unavailable: the token does not answer.
        """
        plaintext = envelope.checked(key)
        bound_to = envelope.associated_data(self.kek_id, holder_id)
        return self._token.run(lambda session: gcm.seal(self._object(session), plaintext, bound_to))

    def unwrap(self, wrapped: bytes, holder_id: str) -> bytes:
        """Unwrap the 32 bytes.

        Raises:
            KeyUnusable: wrapped with another KEK, for another holder, or damaged; or as for wrap.
            Unavailable: the token does not answer.
        """
        nonce, sealed = envelope.opened(wrapped, self.kek_id)
        bound_to = envelope.associated_data(self.kek_id, holder_id)

        def work(session: pkcs11.Session) -> bytes:
            kek = self._object(session)
            try:
                return gcm.unseal(kek, nonce, sealed, bound_to)
            except pkcs11.PKCS11Error:
                if gcm.works(kek):
                    raise envelope.damaged(self.kek_id) from None
                raise

        return self._token.run(work)

    def _object(self, session: pkcs11.Session) -> pkcs11.Object:
        """The key's handle, valid as long as the session."""
        if self._found is None or self._found[0] is not session:
            found = _objects(session, self._label, self.kek_id)
            if not found:
                raise KeyUnusable(f"The token has no key-encryption key {self.kek_id}.")
            self._found = session, found[0]
        return self._found[1]


class Pkcs11Store:
    """The AES-256 keys of one label (CKA_LABEL) in a token; CKA_ID is their name, in ASCII.

    Processes that share a pin file take turns to make keys. A token has no lock of its own: on two
    machines that make the first key in the same instant there are two. The greater is the active
    one for both after the next load, and keys wrapped with either can be unwrapped.
    """

    def __init__(self, uri: TokenUri, now: Callable[[], datetime] = names.now) -> None:
        self._token = Token(uri)
        self._label = uri.label
        self._now = now

    def __repr__(self) -> str:
        return f"Pkcs11Store({self._label!r}, {self._token!r})"

    def load(self) -> Sequence[TokenKey]:
        """All keys, oldest first; the first is created if there is none.

        Raises:
            KeyUnusable: no such module or token, a refused pin, or a key with another kind of name.
            Unavailable: the token does not answer.
        """
        ids = self._token.run(self._ids, in_turn=True) or self._token.run_writing(self._first)
        return [self._key(kek_id) for kek_id in ids]

    def create(self) -> TokenKey:
        """Have the token create a key, and test it; it sorts after all others; durable on return.

        Raises:
            KeyUnusable: as for load, or the token can't make or use such a key.
            Unavailable: the token does not answer.
        """
        return self._key(self._token.run_writing(self._made))

    def destroy(self, kek_id: str) -> None:
        """Destroy a key for good; do nothing if it is missing.

        Raises:
            KeyUnusable, Unavailable: as for load.
        """

        def work(session: pkcs11.Session) -> None:
            for found in _objects(session, self._label, kek_id):
                found.destroy()

        self._token.run_writing(work)

    def _key(self, kek_id: str) -> TokenKey:
        return TokenKey(kek_id, self._token, self._label)

    def _first(self, session: pkcs11.Session) -> list[str]:
        """Create the first key unless another process was faster."""
        return self._ids(session) or [self._made(session)]

    def _made(self, session: pkcs11.Session) -> str:
        kek_id = names.new_id(self._ids(session), self._now())
        kek = session.generate_key(
            KeyType.AES,
            envelope.KEY_BYTES * 8,
            id=kek_id.encode(),
            label=self._label,
            store=True,
            capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
            template={
                Attribute.PRIVATE: True,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
            },
        )
        if not gcm.works(kek):
            kek.destroy()
            raise KeyUnusable("The token's keys can't be used with CKM_AES_GCM.")
        return kek_id

    def _ids(self, session: pkcs11.Session) -> list[str]:
        ids = sorted(self._id(found) for found in _objects(session, self._label))
        if len(set(ids)) < len(ids):
            raise KeyUnusable(f"The token has two keys {self._label} of the same CKA_ID.")
        return ids

    def _id(self, found: pkcs11.Object) -> str:
        kek_id = bytes(found[Attribute.ID]).decode("ascii", "backslashreplace")
        if not names.is_id(kek_id):
            raise KeyUnusable(f"The token's key {self._label} has no key-encryption key's CKA_ID.")
        for attribute, value in _REQUIRED.items():
            if found[attribute] != value:
                raise KeyUnusable(f"The token's key {kek_id} has another CKA_{attribute.name}.")
        return kek_id


def _objects(session: pkcs11.Session, label: str, kek_id: str | None = None) -> list[pkcs11.Object]:
    check(session)
    wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: label}
    if kek_id is not None:
        wanted[Attribute.ID] = kek_id.encode()
    return list(session.get_objects(wanted))
