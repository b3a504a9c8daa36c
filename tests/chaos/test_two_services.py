"""Invariants 1 and 2: two services compete for the same permits, and one of them is killed."""

from tests.chaos.workload import Workload

ENOUGH = 30
LATER = 60
PERMITS = 3
ISSUES_SHARE = 0.1


def test_one_of_two_is_killed(
    chance, seed, permits, writing, follower, until, sent_again, problems
):
    """The other one goes on; every command of both took effect once, in one order for all."""
    acknowledged = permits(PERMITS)
    numbers = tuple(confirmed.number for confirmed in acknowledged)
    workload = Workload(seed, numbers, ISSUES_SHARE)
    killed = writing(workload, name="w1", form="thread", clients=8)
    survivor = writing(workload, name="w2", form="task", clients=8)
    until(killed.have(ENOUGH))
    until(survivor.have(ENOUGH))
    until(killed.have(chance.randrange(ENOUGH)))

    killed.kill()

    until(survivor.have(LATER))
    survivor.stop()
    assert [] == killed.unexpected + survivor.unexpected
    acknowledged += killed.acknowledged + survivor.acknowledged
    assert {} == problems(acknowledged)
    acknowledged += sent_again(workload, killed.open | survivor.open)
    done = {*killed.sent, *survivor.sent, *(confirmed.key for confirmed in acknowledged)}
    assert {} == problems(acknowledged, done=done, follower=follower)
