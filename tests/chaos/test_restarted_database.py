"""Invariants 1 and 2: the database is shut down and started again, under load."""

import pytest

from tests.chaos.workload import Workload
from tests.postgres import restart

ENOUGH = 20
PERMITS = 8


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restarted_under_load(
    form, mode, chance, seed, permits, writing, follower, until, server, sent_again, problems
):
    """Politely or not: whatever was acknowledged is there, and the service goes on by itself."""
    acknowledged = permits(PERMITS)
    workload = Workload(seed, tuple(told.number for told in acknowledged))
    writer = writing(workload, name="w1", form=form)
    until(writer.have(ENOUGH + chance.randrange(ENOUGH)))

    restart(server.url, mode)

    until(writer.have(ENOUGH))
    writer.stop()
    assert [] == writer.unexpected
    acknowledged += writer.acknowledged + sent_again(workload, writer.open)
    done = {*writer.sent, *(told.key for told in acknowledged)}
    assert {} == problems(acknowledged, done=done, follower=follower)
