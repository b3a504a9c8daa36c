"""Receipt keys are rotated with an overlap: published before they sign, kept after they did."""

import os
import stat

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from api.checks.receipts import ReceiptSigner
from permit_ledger.keys import receipt_keys as module
from permit_ledger.keys.files import UnusableKey
from permit_ledger.keys.receipt_keys import WatchedKeys, receipt_keys, rotate
from permit_ledger.settings import Settings
from tests.commands import permit_ledger


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path)


@pytest.fixture
def signer(settings, monkeypatch):
    """The keys of a running service, which reads the file each time."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0)
    return ReceiptSigner(WatchedKeys(settings), issuer="us")


def kid_of(receipt):
    return jws.extract_compact(receipt.encode()).headers()["kid"]


def verify(signer, receipt):
    keys = KeySet.import_key_set(signer.jwks())
    return orjson.loads(jws.deserialize_compact(receipt, keys, algorithms=["ES256"]).payload)


def test_a_new_key_is_published_before_it_signs(settings, signer):
    """Copies of the JWKS have it by then."""
    first = kid_of(signer.sign({"a": 1}))

    new = rotate(settings, after_s=600)

    assert first == kid_of(signer.sign({"a": 1}))
    assert {first, new.key.kid} == {key["kid"] for key in signer.jwks()["keys"]}


def test_old_receipts_verify_after_every_rotation(settings, signer):
    """And each is signed with the newest that may."""
    receipts = [signer.sign({"n": 0})]
    for n in (1, 2, 3):
        new = rotate(settings, after_s=0)
        receipts.append(signer.sign({"n": n}))
        assert new.key.kid == kid_of(receipts[-1])

    assert [{"iss": "us", "n": n} for n in range(4)] == [verify(signer, r) for r in receipts]


def test_only_public_parts_are_published_and_kept(settings, signer):
    """A retired key loses its private part, in the file too."""
    for _ in range(3):
        rotate(settings, after_s=0)

    assert not any("d" in key for key in signer.jwks()["keys"])
    assert not any("signs_from" in key for key in signer.jwks()["keys"])
    assert [False, False, True, True] == [each.key.is_private for each in receipt_keys(settings)]


def test_the_file_stays_its_owners(settings):
    """With any umask."""
    rotate(settings, after_s=0)
    file = settings.keys_dir / "receipts.jwk"
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert ["receipts.jwk"] == os.listdir(settings.keys_dir)


@pytest.mark.parametrize("content", ["", "[]", '{"keys": []}', '{"keys": 7}', '{"keys": [{}]}'])
def test_a_file_that_is_broken_leaves_what_was_known(settings, signer, content):
    """A running service goes on, one that starts refuses."""
    kid = kid_of(signer.sign({}))
    (settings.keys_dir / "receipts.jwk").write_text(content)

    assert kid == kid_of(signer.sign({}))
    with pytest.raises(UnusableKey):
        receipt_keys(settings)


def test_a_set_of_which_none_signs_yet_is_refused(settings):
    """A service would have nothing to sign with."""
    rotate(settings, after_s=600)
    file = settings.keys_dir / "receipts.jwk"
    keys = orjson.loads(file.read_bytes())["keys"]
    file.write_bytes(orjson.dumps({"keys": keys[1:]}))

    with pytest.raises(UnusableKey):
        receipt_keys(settings)


def test_as_an_operator_does_it(tmp_path):
    """Rotated, then listed."""
    made = permit_ledger(tmp_path, {}, "receipt-keys", "rotate", "--after-s", "0")
    listed = permit_ledger(tmp_path, {}, "receipt-keys", "list")

    assert 0 == made.returncode, made.stderr
    kid = made.stdout.split()[1].rstrip(";")
    assert [kid in listed.stdout, 2] == [True, listed.stdout.split().count("yes")]
