"""All views that share the one position, of every stream type."""

from __future__ import annotations

from typing import Any

from ledger.crypto.blind_index import BlindIndex

from . import id_cards
from .view import View, permit_views


def all_views(blind_index: BlindIndex) -> list[View[Any]]:
    """A new stream type adds its views here."""
    return [*permit_views(blind_index), id_cards.VIEW]
