"""The ledger's errors; refusals are the domain's (:mod:`domain.errors`).

::

    LedgerError
    ├── UnknownAggregate     no stream of that kind and name
    │   ├── UnknownPermit    there is none, or none of the caller's              404
    │   └── UnknownApplication                                                   404
    ├── UnknownCheck         there is none, or none of the caller's              404
    │   └── UnprovenCheck    its record has no proof of the service's            404
    ├── UnknownHolder        no holder has this id                               404
    ├── Conflict             another command was faster
    │   ├── StaleVersion     the version in If-Match is no longer the last       412
    │   └── Contended        too many conflicts; nothing was appended            409
    ├── ProofReplayed        a device's proof that was used before               401
    ├── KeyReused            the idempotency key belongs to another request      422
    ├── Unavailable          try again                                           503
    │   ├── ConnectionLost   the database did not answer
    │   └── OutcomeUnknown   what was asked may have been done
    └── Corrupt              stop and report: an operator has to act
        ├── UnreadableEvent
        ├── UnreadableTopics
        ├── KeyUnusable      a holder's key, or what it is wrapped with
        ├── SealBroken       a ciphertext that can't be opened
        ├── RegisterDiffers  the register of holders gives a person another's record
        ├── SchemaMismatch
        │   └── SchemaBehind
        ├── RightsMissing
        ├── LogGap           a position is missing
        └── LogBehind        the log is shorter than it was

    AppendConflict           between log and commands only
    ├── VersionTaken, KeyTaken, HolderTaken, KekClosed
"""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger can't do this."""

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").partition("\n")[0]
        super().__init__(self.detail)


class UnknownAggregate(LedgerError):
    """There is nothing of that kind and number."""


class UnknownPermit(UnknownAggregate):
    """There is no such permit."""


class UnknownApplication(UnknownAggregate):
    """There is no application with this receipt number."""


class UnknownCheck(LedgerError):
    """There is no such check of your permits."""


class UnprovenCheck(UnknownCheck):
    """There is no receipt of this check: its record does not prove that the service made it."""


class UnknownHolder(LedgerError):
    """There is no such holder."""


class Conflict(LedgerError):
    """Another request changed this permit at the same time."""


class StaleVersion(Conflict):
    """The permit has changed since the version you named: read it again."""


class Contended(Conflict):
    """Too many changes to this permit at once: nothing was done, try again."""


class KeyReused(LedgerError):
    """This Idempotency-Key was used for another request."""


class ProofReplayed(LedgerError):
    """This proof of the device's key was used before."""


class Unavailable(LedgerError):
    """The ledger is out of reach for the moment: try again."""


class ConnectionLost(Unavailable):
    """The database did not answer: try again."""


class OutcomeUnknown(Unavailable):
    """Whether this was done is not known yet: repeat it with the same Idempotency-Key, or read."""


class Corrupt(LedgerError):
    """The ledger holds something that this program can't trust."""


class UnreadableEvent(Corrupt):
    """An event in the log can't be read."""


class UnreadableTopics(Corrupt):
    """The log holds kinds of events that this version can't read."""


class KeyUnusable(Corrupt):
    """A key is missing, damaged or another one."""


class SealBroken(Corrupt):
    """What was sealed has been changed or moved, or was sealed with another key."""


class RegisterDiffers(Corrupt):
    """The register of holders gives this person another person's record: nothing was written."""


class SchemaMismatch(Corrupt):
    """The database was set up by other migrations than these."""


class LogGap(Corrupt):
    """The log has lost an event."""


class LogBehind(Corrupt):
    """The log ends before what was read already."""


class SchemaBehind(SchemaMismatch):
    """The database lacks migrations, and this user may not apply them."""


class RightsMissing(Corrupt):
    """The database user lacks a right that is needed."""


class AppendConflict(Exception):
    """An append met a row that is already there."""


class VersionTaken(AppendConflict):
    """That version of the stream exists."""


class KeyTaken(AppendConflict):
    """That idempotency key has an answer."""


class HolderTaken(AppendConflict):
    """That person holds a permit, or has a holder id by now."""


class KekClosed(AppendConflict):
    """The key-encryption key was rotated out while a new holder's key was wrapped with it."""
