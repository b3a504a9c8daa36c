"""From the folder to a token, with the service in use before, meanwhile and after."""

from contextlib import closing

import pytest

from ledger.commands.blocking import BlockingLedger
from ledger.crypto.kek_register import destroy, introduce
from ledger.crypto.kek_rotation import rotate
from ledger.database.connections import as_service, connect
from permit_ledger.keys.key_encryption import key_store, keyring
from permit_ledger.keys.key_encryption.folder import KeyFolder
from permit_ledger.keys.key_encryption.moved import MovedStore
from permit_ledger.keys.key_encryption.pkcs11 import Pkcs11Store
from permit_ledger.sample.command import simulate
from permit_ledger.settings import Settings
from tests.permit_ledger.districts import UNTIL


@pytest.fixture
def owner(database_url):
    with connect(database_url) as owner:
        owner.execute("TRUNCATE ledger.key_encryption_keys")
        yield owner


@pytest.fixture
def names(database_url, blind_index):
    """``names(settings)``: all names in the log, as a service with these settings reads them."""

    def names(settings):
        url = as_service(database_url)
        with closing(
            BlockingLedger(url, blind_index=blind_index, keyring=keyring(settings))
        ) as ledger:
            numbers = {n.originator_id for n in ledger.events(1, 1000)}
            return {number: ledger.permit(number).person.name for number in numbers}

    return names


def test_everybody_can_be_read_on_the_way(
    database_url, blind_index, owner, policy, tmp_path, soft_token, key_label, names
):
    """Both places as long as the folder holds keys, then the token alone."""
    folder = Settings(data_dir=tmp_path)
    introduce(owner, keyring(folder))
    ledger = BlockingLedger(
        as_service(database_url), blind_index=blind_index, keyring=keyring(folder)
    )
    with closing(ledger):
        simulate(ledger, permits=5, days=3, seed=1, until=UNTIL, policy=policy)
    before = names(folder)
    assert 5 == len(before)

    token = Settings(data_dir=tmp_path, key_encryption=soft_token.text(key_label))
    assert isinstance(key_store(token), MovedStore)
    introduce(owner, keyring(token))
    assert before == names(token)

    rotation = rotate(owner, key_store(token))
    assert keyring(token).active.is_remote
    assert (rotation.kek_id, 5) == (keyring(token).active.kek_id, rotation.rewrapped)
    [old] = [kek.kek_id for kek in KeyFolder(folder.keys_dir / "key-encryption").load()]
    destroy(owner, key_store(token), old)

    assert isinstance(key_store(token), Pkcs11Store)
    assert before == names(token)
