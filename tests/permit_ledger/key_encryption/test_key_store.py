"""Which store the settings name."""

import sys

import pytest

from permit_ledger.keys.files import UnusableKey
from permit_ledger.keys.key_encryption import KeyFolder, key_store
from permit_ledger.keys.key_encryption.pkcs11 import Pkcs11Store
from permit_ledger.settings import Settings

URI = "pkcs11:token=t;object=o?module-path=/m.so&pin-source=file:/pin"


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


def with_store(settings, text):
    return settings.model_copy(update={"key_encryption": text})


def test_without_a_setting_there_is_a_folder_among_the_keys(settings):
    """Made when it is first used."""
    store = key_store(settings)

    assert isinstance(store, KeyFolder)
    assert not settings.data_dir.exists()
    [kek] = store.load()
    assert (settings.keys_dir / "key-encryption" / f"{kek.kek_id}.key").is_file()


def test_an_environment_variable_names_a_token(monkeypatch):
    """Which need not be there before it is used."""
    monkeypatch.setenv("PERMIT_LEDGER_KEY_ENCRYPTION", URI)

    assert isinstance(key_store(Settings()), Pkcs11Store)


@pytest.mark.parametrize(
    "text", ["vault:s3cret", "data/keys", "pkcs11:s3cret", URI + "&s3cret=s3cret"]
)
def test_anything_else_is_refused(settings, text):
    """With the variable's name, and its possible values."""
    with pytest.raises(UnusableKey, match="PERMIT_LEDGER_KEY_ENCRYPTION"):
        key_store(with_store(settings, text))


def test_a_missing_package_is_named(settings, monkeypatch):
    """It is not a dependency for keys in a folder."""
    monkeypatch.delitem(sys.modules, "permit_ledger.keys.key_encryption.pkcs11")
    monkeypatch.setitem(sys.modules, "pkcs11", None)

    with pytest.raises(UnusableKey, match=r"permit-ledger\[pkcs11\]"):
        key_store(with_store(settings, URI))
    assert isinstance(key_store(settings), KeyFolder)
