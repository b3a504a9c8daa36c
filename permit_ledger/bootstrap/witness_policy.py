"""The witness policy: the operator's file, read when a role starts."""

from __future__ import annotations

from ledger.errors import LedgerError
from permit_ledger.settings import Settings
from transparency.witness.policy import NO_WITNESSES, BadPolicy, WitnessPolicy


class UnusablePolicy(LedgerError):
    """The file of the witness policy can't be used; the message names its line."""


def witness_policy(settings: Settings) -> WitnessPolicy:
    """Read the file; without one there are no witnesses.

    Raises:
        UnusablePolicy
        OSError: it can't be read.
    """
    if settings.witness_policy is None:
        return NO_WITNESSES
    try:
        return WitnessPolicy.of(settings.witness_policy.read_bytes())
    except BadPolicy as error:
        raise UnusablePolicy(f"{settings.witness_policy}: {error}") from None
