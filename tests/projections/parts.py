"""Views and an opener with the tests' keys, in whichever process asks."""

from ledger.blind_index import BlindIndex
from ledger.holder_keys import HolderKeys
from projections.opening import EventOpener
from projections.views import all_views
from tests.keks import keyring


def parts():
    """What a rebuild works with."""
    return all_views(BlindIndex(bytes(range(32)))), EventOpener(HolderKeys(keyring()))
