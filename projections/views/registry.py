"""All views that share the one position, of every lifecycle."""

from __future__ import annotations

from typing import Any

from ledger.crypto.blind_index import BlindIndex

from . import id_cards
from .view import View, permit_views


def all_views(blind_index: BlindIndex) -> list[View[Any]]:
    """Whoever adds a lifecycle adds its views here."""
    return [*permit_views(blind_index), id_cards.VIEW]
