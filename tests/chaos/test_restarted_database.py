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
    """Shut down smoothly or not: all acknowledged commands are there, and the service recovers."""
    acknowledged = permits(PERMITS)
    workload = Workload(seed, tuple(confirmed.number for confirmed in acknowledged))
    writer = writing(workload, name="w1", form=form)
    until(writer.have(ENOUGH + chance.randrange(ENOUGH)))

    restart(server.url, mode)

    until(writer.have(ENOUGH))
    writer.stop()
    assert [] == writer.unexpected
    acknowledged += writer.acknowledged + sent_again(workload, writer.open)
    done = {*writer.sent, *(confirmed.key for confirmed in acknowledged)}
    assert {} == problems(acknowledged, done=done, follower=follower)
