"""A logged-in token: a session is opened when it is needed, and again after it was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import TypeVar

import pkcs11
from pkcs11 import exceptions as refusals

from ledger.errors import KeyUnusable, LedgerError, Unavailable

from .library import library
from .pin import PinFile
from .uri import TokenUri

T = TypeVar("T")

PIN_REFUSED = (
    refusals.PinIncorrect,
    refusals.PinInvalid,
    refusals.PinLenRange,
    refusals.PinExpired,
    refusals.PinLocked,
    refusals.UserPinNotInitialized,
)
NEVER = (
    refusals.ArgumentsBad,
    refusals.AttributeReadOnly,
    refusals.AttributeTypeInvalid,
    refusals.AttributeValueInvalid,
    refusals.FunctionNotSupported,
    refusals.KeySizeRange,
    refusals.KeyTypeInconsistent,
    refusals.MechanismInvalid,
    refusals.MechanismParamInvalid,
    refusals.SessionReadOnly,
    refusals.TemplateIncomplete,
    refusals.TemplateInconsistent,
    refusals.TokenWriteProtected,
)
"""Errors that a retry can't fix."""


class Token:
    """The token that a URI names; thread-safe, one call at a time."""

    def __init__(self, uri: TokenUri) -> None:
        self._uri = uri
        self._library = library(uri.module)
        self._pin_file = PinFile(uri.pin_file)
        self._session: pkcs11.Session | None = None
        self._started = -1
        self._seen = False

    def __repr__(self) -> str:
        return f"Token({self._uri.token!r}, {self._uri.module!r})"

    def run(self, work: Callable[[pkcs11.Session], T], *, in_turn: bool = False) -> T:
        """Call ``work`` with a session, and once more with a new one if it fails.

        Processes that share a pin file take turns to log in, and to create keys: SoftHSM fails when
        it meets a key that another process is just creating.

        Raises:
            KeyUnusable: no such module or token, a refused pin, or an operation the token lacks.
            Unavailable: the token does not answer, with a new session neither.
        """
        with self._library.held():
            for is_last in (False, True):
                try:
                    with self._pin_file.turn() if in_turn or not self._is_open else nullcontext():
                        return work(self._current())
                except NEVER as error:
                    raise self._told(error) from None
                except pkcs11.PKCS11Error as error:
                    self._library.stop()
                    if is_last:
                        raise self._told(error) from None
        raise AssertionError("the last try gives or raises")

    def run_writing(self, work: Callable[[pkcs11.Session], T]) -> T:
        """As :meth:`run`, under the lock, with a session that may create and destroy keys."""

        def written(session: pkcs11.Session) -> T:
            check(session)  # with a lost one the process would no longer be logged in
            with session.token.open(rw=True) as writing:
                return work(writing)

        return self.run(written, in_turn=True)

    @property
    def _is_open(self) -> bool:
        return self._session is not None and self._started == self._library.starts

    def _current(self) -> pkcs11.Session:
        if self._session is None or not self._is_open:
            return self._opened()
        return self._session

    def _opened(self) -> pkcs11.Session:
        handle = self._library.start()
        token = self._present(list(_tokens(handle.get_slots(token_present=True))))
        try:
            self._session = token.open(user_pin=self._pin_file.pin())
        except refusals.UserAlreadyLoggedIn:  # by another store of this process
            self._session = token.open()
        except PIN_REFUSED as error:
            self._pin_file.refuse()
            self._library.stop()
            raise KeyUnusable(
                f"The token {self._uri.token} refuses the pin in {self._pin_file.path}:"
                f" {type(error).__name__}."
            ) from None
        self._started, self._seen = self._library.starts, True
        return self._session

    def _present(self, tokens: list[pkcs11.Token]) -> pkcs11.Token:
        named = [
            token
            for token in tokens
            if token.label == self._uri.token
            and self._uri.serial in {None, token.serial.decode("utf-8", "replace").strip()}
        ]
        if len(named) > 1:
            raise KeyUnusable(f"Several tokens are labelled {self._uri.token}: name the serial.")
        if not named:
            self._library.stop()  # a module may look for its tokens at its start only
            what = f"There is no token {self._uri.token} behind {self._uri.module}."
            raise Unavailable(what) if self._seen else KeyUnusable(what)
        return named[0]

    def _told(self, error: pkcs11.PKCS11Error) -> LedgerError:
        """Translate an error by its type: its text may hold the request."""
        name = type(error).__name__
        if isinstance(error, NEVER):
            return KeyUnusable(f"The token {self._uri.token} can't do what is asked of it: {name}.")
        return Unavailable(f"The token {self._uri.token} does not answer: {name}.")


def check(session: pkcs11.Session) -> None:
    """Check that the session is still valid, and so logged in.

    A search on a lost one would be worse than refused: python-pkcs11 complains on standard error
    when it clears up.

    Raises:
        PKCS11Error: it was lost.
    """
    with suppress(refusals.RandomNoRNG, refusals.FunctionNotSupported):
        session.generate_random(64)


def _tokens(slots: list[pkcs11.Slot]) -> Iterator[pkcs11.Token]:
    for slot in slots:
        try:
            yield slot.get_token()
        except (refusals.TokenNotPresent, refusals.TokenNotRecognised):
            continue
