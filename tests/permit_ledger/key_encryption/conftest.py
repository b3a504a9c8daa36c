"""Both kinds of key store, each empty."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from permit_ledger.keys.key_encryption.folder import KeyFolder
from permit_ledger.keys.key_encryption.pkcs11 import Pkcs11Store
from tests.permit_ledger.key_encryption.soft_token import SoftToken, module

_labels = itertools.count(1)


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory) -> Iterator[SoftToken]:
    """For the whole run: a process loads the module once."""
    token = SoftToken(tmp_path_factory.mktemp("softhsm"), module())
    token.initialise()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOFTHSM2_CONF", str(token.configuration))
        yield token
        token.log_out()


@pytest.fixture
def key_label() -> str:
    """A store in the token that no other test uses."""
    return f"kek-{next(_labels)}"


@pytest.fixture(params=["folder", "token"])
def open_store(request, tmp_path, key_label):
    """Opens the same place each time, as another start of the service does."""
    if request.param == "folder":
        return lambda **clock: KeyFolder(tmp_path / "keys" / "key-encryption", **clock)
    token = request.getfixturevalue("soft_token")
    return lambda **clock: Pkcs11Store(token.uri(key_label), **clock)


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def at():
    """A fixed clock."""
    return lambda *instant: lambda: datetime(*instant, tzinfo=UTC)
