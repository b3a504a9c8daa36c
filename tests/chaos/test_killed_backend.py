"""Invariants 1 and 2: ``kill -9`` of a server process that appends; the whole server recovers."""

from tests.chaos.backends import append_backends, kill_backend
from tests.chaos.workload import Workload

KILLS = 2
ENOUGH = 20
PERMITS = 8


def test_killed_under_load(
    form, chance, seed, permits, writing, follower, until, database_url, sent_again, problems
):
    """The service goes on and resolves the outcomes of commands under way."""
    acknowledged = permits(PERMITS)
    workload = Workload(seed, tuple(confirmed.number for confirmed in acknowledged))
    writer = writing(workload, name="w1", form=form)

    for _ in range(KILLS):
        until(writer.have(ENOUGH + chance.randrange(ENOUGH)))
        until(lambda: append_backends(database_url))
        [backend] = append_backends(database_url)
        kill_backend(backend)
    until(writer.have(ENOUGH))
    writer.stop()

    assert [] == writer.unexpected
    acknowledged += writer.acknowledged + sent_again(workload, writer.open)
    done = {*writer.sent, *(confirmed.key for confirmed in acknowledged)}
    assert {} == problems(acknowledged, done=done, follower=follower)
