"""Read a policy file (TOML): one that comes with the ledger, or the operator's own."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path

from pydantic import TypeAdapter

from domain.policy import Policy
from permit_ledger.settings import DEFAULT_POLICY

_POLICY = TypeAdapter(Policy)


def load_policy(name_or_file: str = DEFAULT_POLICY, *, synthetic_people: bool = False) -> Policy:
    """Load a policy by the name of one that comes with the ledger, or by the path of a ``.toml``
    file.

    Raises:
        FileNotFoundError: there is no such policy.
        ValueError: a setting is missing, unknown or out of bounds.
    """
    own = Path(name_or_file)
    source = own if own.suffix == ".toml" else files(__package__) / "policies" / f"{own.name}.toml"
    content = tomllib.loads(source.read_text(encoding="utf-8"))
    if unknown := content.keys() - {field.name for field in fields(Policy)}:
        raise ValueError(f"{source.name}: unknown settings {', '.join(sorted(unknown))}")
    policy = _POLICY.validate_python(content)
    return replace(policy, synthetic_people=synthetic_people)
