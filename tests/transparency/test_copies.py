"""A copy of the log in a folder: made, brought up to date, and verified with no database."""

import pytest
from typer.testing import CliRunner

from permit_ledger.cli.app import app
from permit_ledger.keys.log_keys import known_verifiers
from tests.transparency.signed_log import settings


@pytest.fixture
def copy(log):
    """With its entries."""
    folder = log.folder.with_name("copy")
    result = log.run("copy-log", str(folder), "--entries")
    assert 0 == result.exit_code, result.output
    return folder


@pytest.fixture
def verify(log, copy):
    """``verify()``: with nothing but the copy and the verifiers' keys."""
    file = log.folder.with_name("verifiers")
    file.write_text("".join(f"{key}\n" for key in known_verifiers(settings(log.folder))))
    nowhere = str(log.folder.with_name("nowhere"))

    def verify():
        arguments = ["verify-log", "--tiles", str(copy), "--verifiers", str(file)]
        return CliRunner().invoke(app, [*arguments, "--data-dir", nowhere])

    return verify


def test_a_copy_verifies_offline(verify, copy):
    """Laid out as tiles are served."""
    result = verify()
    assert 0 == result.exit_code, result.output
    expected = {"checkpoint", "tile", "checks", "manifests", "audit-reads"}
    assert expected == {each.name for each in copy.iterdir()}
    assert (copy / "tile" / "0" / "000").stat().st_size == 256 * 32
    assert (copy / "checks" / "tile" / "entries" / "000.p" / "60").exists()


def test_verification_creates_no_keys(log, copy):
    """Without a key, the command reports that."""
    nowhere = log.folder.with_name("nowhere")
    result = CliRunner().invoke(
        app, ["verify-log", "--tiles", str(copy), "--data-dir", str(nowhere)]
    )
    assert 1 == result.exit_code
    assert not nowhere.exists()


def flip(file, at):
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "at", "reported"),
    [
        ("tile/0/000", 33, "events 1: tile 1/0 of the copy says something else"),
        ("tile/1/000.p/1", 0, "events 1: tile 1/0 of the copy says something else"),
        ("tile/entries/000", 5, "events 1: the copy's entry is not that of its leaf"),
        ("checks/tile/0/000.p/60", 0, "do not make the root of its checkpoint"),
        ("checkpoint", -10, "events: "),
    ],
)
def test_a_changed_file_is_found(verify, copy, file, at, reported):
    flip(copy / file, at)
    result = verify()
    assert 1 == result.exit_code, result.output
    assert reported in result.output


@pytest.mark.parametrize("file", ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"])
def test_a_missing_file_is_found(verify, copy, file):
    (copy / file).unlink()
    result = verify()
    assert 1 == result.exit_code, result.output
    assert "of the copy is missing" in result.output


def test_a_bundle_that_ends_too_early_is_found(verify, copy):
    bundle = copy / "tile" / "entries" / "000"
    bundle.write_bytes(bundle.read_bytes()[:1000])
    result = verify()
    assert 1 == result.exit_code, result.output
    assert "ends too early" in result.output


def test_a_copy_is_updated(log, copy, verify, blind_index):
    """Full tiles are unchanged; the checkpoint is the newest."""
    before = (copy / "tile" / "0" / "000").stat().st_mtime_ns
    log.record(blind_index, 9)
    log.integrate()

    result = log.run("copy-log", str(copy), "--entries")

    assert 0 == result.exit_code, result.output
    assert before == (copy / "tile" / "0" / "000").stat().st_mtime_ns
    assert 0 == verify().exit_code
    assert 0 == log.verify("--tiles", str(copy)).exit_code


def test_a_log_with_another_history_is_not_copied(log, copy):
    """The copy stays as it was."""
    checkpoint = (copy / "checkpoint").read_bytes()
    log.attack("UPDATE ledger.tiles SET hashes = sha256('x') || substring(hashes FROM 33)")
    result = log.run("copy-log", str(copy))
    assert 1 == result.exit_code
    assert "another history" in result.output
    assert checkpoint == (copy / "checkpoint").read_bytes()
