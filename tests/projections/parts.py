"""Views and an opener with the tests' keys, in whichever process asks."""

from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKeys
from projections.projector.pages import EventOpener
from projections.views.registry import all_views
from tests.keks import keyring


def parts():
    """What a rebuild works with."""
    return all_views(BlindIndex(bytes(range(32)))), EventOpener(HolderKeys(keyring()))
