"""Puts together what proves a face match, from its settings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.permits.face_matches import FaceMatches, FaceProvider, UsedAssertions
from api.sign_in.step_up import StepUp
from ledger.eventlog.reads import Pool
from permit_ledger.keys.issuer import IssuerKeys, is_address, load_at_start
from permit_ledger.settings import Settings

SETTING = "PERMIT_LEDGER_FACE_PROVIDER"


class BadFaceProvider(ValueError):
    """The file of ``PERMIT_LEDGER_FACE_PROVIDER`` can't be used; the message says why."""


class _File(BaseModel):
    """``jwks`` is a file, in the folder of this one unless its path is absolute, or an https
    address."""

    model_config = ConfigDict(extra="forbid", strict=True)

    issuer: Annotated[str, Field(min_length=1, max_length=200)]
    jwks: Annotated[str, Field(min_length=1, max_length=1000)]


class ConfiguredProvider(NamedTuple):
    """The provider's name, and its keys, which are loaded."""

    issuer: str
    keys: IssuerKeys


def step_up(settings: Settings) -> StepUp:
    return StepUp(tuple(settings.step_up_acr.split()), tuple(settings.step_up_amr.split()))


def configured_provider(settings: Settings) -> ConfiguredProvider | None:
    """Read who signs assertions; ``None`` where no one does.

    Raises:
        BadFaceProvider
        NoKeys: its keys are unavailable.
    """
    if (file := settings.face_provider) is None:
        return None
    try:
        content = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadFaceProvider(f"{SETTING}: {file} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFaceProvider(f"{SETTING}: {file} is no TOML file: {error}") from None
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        raise BadFaceProvider(f"{SETTING}: {file}: {where}") from None
    source = content.jwks if is_address(content.jwks) else str(file.parent / Path(content.jwks))
    return ConfiguredProvider(content.issuer, load_at_start(source, f"jwks of {SETTING}"))


def face_matches(
    settings: Settings, provider: ConfiguredProvider | None, pool: Pool
) -> FaceMatches:
    known = None
    if provider is not None:
        keys = provider.keys
        known = FaceProvider(provider.issuer, settings.audience, keys, keys.refresh)
    return FaceMatches(
        step_up(settings), known, UsedAssertions(pool), accepts_unsigned=settings.development
    )
