"""``verify-log`` where all trees fit their rows, but were not made with the log's key."""

import pytest

from tests.transparency.named import STATE, first, named


@pytest.fixture
def forge(log):
    """``forge(statement)``: a row changed, and the trees made again with other keys."""

    def forge(statement):
        log.attack(
            statement,
            "DELETE FROM ledger.tiles",
            "DELETE FROM ledger.checkpoint_signatures",
            "DELETE FROM ledger.checkpoints",
            "DELETE FROM ledger.manifests",
            "DELETE FROM ledger.last_events_tiles",
            "UPDATE ledger.last_events SET position = 0, root = decode(repeat('00', 32), 'hex')",
            "UPDATE ledger.trees SET size = 0, root = sha256('')",
        )
        forger = type(log)(log.url, log.folder.with_name("forger"))
        forger.integrate()

    return forge


def test_rewritten_rows_with_rebuilt_trees(log, middle, last, forge):
    """No known key has signed them, and the checkpoint kept outside has another root."""
    forge(f"UPDATE ledger.events SET state = {STATE} WHERE position = {middle}")
    result = log.verify()

    tree, position, what = first(result)
    assert ("events", 1) == (tree, position)
    assert f"events.checkpoint has another root of {last} entries" in what
    assert f"from 1 to {last}" in what
    assert "no trusted key has signed this" in result.output


def test_rewritten_rows_and_trees_against_external_copies(log, middle, last, forge):
    """The last signed checkpoint is gone too: a checkpoint or a copy kept elsewhere reveals the
    change."""
    kept, copy = log.checkpoint(), log.folder.with_name("copy")
    assert 0 == log.run("copy-log", str(copy)).exit_code
    forge(f"UPDATE ledger.events SET state = {STATE} WHERE position = {middle}")
    for file in (log.folder / "tree").iterdir():
        file.unlink()

    found = named(log.verify("--against", str(kept)))
    assert f"events.kept has another root of {last} entries" in found[0][2]
    expected = ("events", middle, "changed: the copy has another leaf here")
    assert expected in named(log.verify("--tiles", str(copy)))


def test_deleted_checkpoints(log, last):
    """The last one is kept outside; earlier ones are, where an auditor has kept them."""
    kept = log.checkpoint()
    log.attack(
        f"DELETE FROM ledger.checkpoint_signatures WHERE tree = 'events' AND size = {last}",
        f"DELETE FROM ledger.checkpoints WHERE tree = 'events' AND size = {last}",
    )
    for file in (log.folder / "tree").iterdir():
        file.unlink()
    tree, _, what = first(log.verify())
    assert "events" == tree
    assert what.startswith("not signed: the newest checkpoint")

    result = log.verify("--against", str(kept))
    assert 1 == result.exit_code, result.output
    assert "is not among those kept" in result.output


def test_a_checkpoint_of_a_larger_log(log, last):
    """Kept elsewhere; the log has been set back since."""
    result = log.verify("--against", str(log.folder / "no such file"))
    assert 1 == result.exit_code

    kept = log.checkpoint()
    log.attack(
        f"DELETE FROM ledger.events WHERE position > {last - 2}",
        f"UPDATE ledger.head SET position = {last - 2}",
    )
    found = named(log.verify("--against", str(kept)))
    assert ("events", last - 1) == found[0][:2]


def test_a_forged_checkpoint_row(log, last):
    """It has a root that was never signed."""
    log.attack(
        "INSERT INTO ledger.checkpoints (tree, size, root, signed_at)"
        f" VALUES ('events', {last - 7}, sha256('x'), now())"
    )
    result = log.verify()
    assert f"the checkpoint of {last - 7} entries: no trusted key" in result.output
    assert "the checkpoints kept has another root" in first(result)[2]
