"""Keys in files: created once, for their owner only, and refused if malformed."""

import multiprocessing
import os
import re
import secrets
import stat

import orjson
import pytest
from joserfc.jwk import ECKey, OKPKey

from permit_ledger.keys import files as keys
from permit_ledger.keys.receipt_keys import receipt_keys
from permit_ledger.settings import Settings

PROCESSES = 8
NUMBER = "990000199001010017"
MAKERS = {
    "blind-index.key": lambda settings: keys.blind_index(settings).of(NUMBER).hex(),
    "receipts.jwk": lambda settings: receipt_keys(settings)[0].key.thumbprint(),
    "development-issuer.jwk": lambda settings: keys.development_issuer_key(settings).thumbprint(),
}
a_key = pytest.mark.parametrize("name", MAKERS)


def make_and_tell(data_dir, name, barrier, answers):
    """As at the start of a process: read its key, or create one."""
    barrier.wait(30)
    answers.put(MAKERS[name](Settings(data_dir=data_dir)))


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


@a_key
def test_a_key_is_made_once(settings, name):
    """The second time it is read; another folder has another one."""
    first = MAKERS[name](settings)

    assert first == MAKERS[name](settings)
    elsewhere = settings.model_copy(update={"data_dir": settings.data_dir / "elsewhere"})
    assert first != MAKERS[name](elsewhere)


@a_key
def test_a_key_is_readable_by_its_owner_only(settings, name):
    """With any umask; nothing else is left in the folder."""
    before = os.umask(0)
    try:
        MAKERS[name](settings)
    finally:
        os.umask(before)

    assert stat.S_IMODE((settings.keys_dir / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.keys_dir.stat().st_mode) == 0o700
    assert [name] == [file.name for file in settings.keys_dir.iterdir()]


@a_key
def test_processes_that_start_together_have_one_key(settings, name):
    """The first process writes it; the others read it."""
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=make_and_tell, args=(settings.data_dir, name, barrier, answers))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    reported = [answers.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()

    assert {MAKERS[name](settings)} == set(reported)


@a_key
def test_a_draft_left_by_a_crash_does_not_stop_anyone(settings, name):
    """In a container the next start has the same pid."""
    settings.keys_dir.mkdir(parents=True)
    (settings.keys_dir / name).with_suffix(f".{os.getpid()}.new").write_text("half a ke")

    assert MAKERS[name](settings) == MAKERS[name](settings)


def test_an_operators_own_files_are_read(tmp_path, settings):
    """Wherever they lie; the data folder gets none."""
    own = {"blind_index_key_file": tmp_path / "a.key", "receipt_key_file": tmp_path / "b.jwk"}
    receipt = ECKey.generate_key("P-256", private=True)
    own["blind_index_key_file"].write_text(f"  {bytes(range(32)).hex()}\n")
    own["receipt_key_file"].write_bytes(orjson.dumps(receipt.as_dict(private=True)))
    settings = settings.model_copy(update=own)

    assert keys.blind_index(settings).of(NUMBER).hex().startswith("146e9538")
    assert receipt.thumbprint() == receipt_keys(settings)[0].key.kid
    assert not settings.keys_dir.exists()


@pytest.mark.parametrize("setting", ["blind_index_key_file", "receipt_key_file"])
def test_an_operators_own_file_that_is_missing_is_missed(tmp_path, settings, setting):
    """A secret that was not mounted is not replaced silently by a new one."""
    own = tmp_path / "mistyped.key"
    settings = settings.model_copy(update={setting: own})

    with pytest.raises(OSError, match=own.name):
        keys.blind_index(settings) if "blind" in setting else receipt_keys(settings)
    assert not own.exists()


def jwk(key, *, private=True):
    return orjson.dumps(key.as_dict(private=private)).decode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("blind-index.key", ""),
        ("blind-index.key", "not hex, but 32 bytes long, or so"),
        ("blind-index.key", secrets.token_hex(31)),
        ("blind-index.key", secrets.token_hex(33)),
        ("blind-index.key", "居住证"),
        ("receipts.jwk", ""),
        ("receipts.jwk", secrets.token_hex(32)),
        ("receipts.jwk", "{}"),
        ("receipts.jwk", "null"),
        ("receipts.jwk", "[]"),
        ("receipts.jwk", '{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}'),
        ("receipts.jwk", jwk(ECKey.generate_key("P-256", private=True), private=False)),
        ("receipts.jwk", jwk(ECKey.generate_key("P-384", private=True))),
        ("receipts.jwk", jwk(OKPKey.generate_key("Ed25519", private=True))),
    ],
    ids=[
        "nothing",
        "no hex",
        "too short",
        "too long",
        "no ASCII",
        "nothing",
        "no JSON",
        "no key",
        "null",
        "a list",
        "no point",
        "a public key",
        "P-384",
        "Ed25519",
    ],
)
def test_a_file_without_a_key_is_named(settings, name, content):
    """Before anything is signed or searched with it; its contents are not reported."""
    settings.keys_dir.mkdir(parents=True)
    (settings.keys_dir / name).write_text(content, encoding="utf-8")

    with pytest.raises(ValueError, match=re.escape(name)) as refused:
        MAKERS[name](settings)
    assert len(content) < len("null!") or content not in str(refused.value)
