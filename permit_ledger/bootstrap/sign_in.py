"""Puts the sign-in at an OpenID provider together from its settings."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from api.http.dpop import SeenProofs
from api.http.tokens import TokenVerifier
from api.sign_in.accounts import Accounts, FoundHolder, HolderNumbers
from api.sign_in.claims import ClaimsMapping
from api.sign_in.pending import PendingSignIns
from api.sign_in.provider import Client, Provider
from api.sign_in.routes import CALLBACK, SignIn
from api.sign_in.sessions import Sessions
from api.sign_in.step_up import StepUp
from ledger.crypto.blind_index import BlindIndex
from ledger.eventlog.log import EventLog
from ledger.eventlog.reads import Pool
from permit_ledger.keys import files as keys
from permit_ledger.keys.issuer import FAILURES, IssuerKeys
from permit_ledger.settings import Settings

SECRET_LENGTH_MIN = 16
_MAPPING = TypeAdapter(ClaimsMapping)


class BadClaimsMapping(ValueError):
    """The file of ``PERMIT_LEDGER_OIDC_CLAIMS`` can't be used; the message says why."""


def claims_mapping(settings: Settings) -> ClaimsMapping | None:
    """What the provider's claims mean here; ``None`` where they have this service's own names.

    Raises:
        BadClaimsMapping
    """
    if (file := settings.oidc_claims) is None:
        return None
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        if unknown := content.keys() - {field.name for field in fields(ClaimsMapping)}:
            raise BadClaimsMapping(f"{file}: unknown settings {', '.join(sorted(unknown))}")
        return _MAPPING.validate_python(content)
    except OSError as error:
        raise BadClaimsMapping(f"{file} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadClaimsMapping(f"{file} is no TOML file: {error}") from None
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        raise BadClaimsMapping(f"{file}: {where}") from None


def accounts(mapping: ClaimsMapping, log: EventLog, blind_index: BlindIndex) -> Accounts:
    """Accounts whose holders are found in the register."""

    async def holder_of(citizen_id_number: str) -> FoundHolder | None:
        index = blind_index.of(citizen_id_number)
        holder_id = await _holder_of_index(log, index)
        return None if holder_id is None else FoundHolder(holder_id, index.hex())

    return Accounts(mapping, holder_of)


def holder_numbers(log: EventLog) -> HolderNumbers:
    """The numbers of the register's holders, as they are now."""
    return HolderNumbers(partial(_holder_of_index, log))


async def _holder_of_index(log: EventLog, index: bytes) -> str | None:
    holder = (await log.holders([index])).get(index)
    return None if holder is None or holder.formerly else holder.holder_id


def accounts_without_holders(mapping: ClaimsMapping) -> Accounts:
    """Accounts beside a remote database, which knows no one."""

    async def no_one(_citizen_id_number: str) -> None:
        return None

    return Accounts(mapping, no_one)


def client_of(settings: Settings) -> Client | None:
    """This service as its provider knows it; ``None`` where none is set.

    Raises:
        UnusableKey, OSError
    """
    if not (settings.oidc_issuer and settings.oidc_client_id and settings.public_url):
        return None
    return Client(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_secret(settings.oidc_client_secret_file),
        redirect_uri=f"{settings.public_url}{CALLBACK}",
    )


def sign_in(
    client: Client,
    key: bytes,
    pool: Pool,
    tokens: TokenVerifier,
    known: Accounts,
    step_up: StepUp,
) -> SignIn:
    return SignIn(
        provider=Provider(client, IssuerKeys, FAILURES),
        sessions=Sessions(pool, key),
        pending=PendingSignIns(key),
        accounts=known,
        access_claims=tokens.claims,
        logouts=SeenProofs(),
        public_url=client.redirect_uri.removesuffix(CALLBACK),
        step_up=step_up,
    )


def _secret(file: Path | None) -> str:
    """
    Raises:
        UnusableKey, OSError
    """
    text = file.read_text(encoding="utf-8").strip() if file else ""
    if len(text) < SECRET_LENGTH_MIN or any(map(str.isspace, text)):
        raise keys.UnusableKey(
            f"{file} holds no client secret: {SECRET_LENGTH_MIN} characters or more, on one line"
        )
    return text
