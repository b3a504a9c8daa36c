"""Invariants 1 and 2: ``kill -9`` of the service at any moment of its commands."""

import pytest

from tests.chaos.workload import Workload

KILLS = 2
ENOUGH = 20
LATEST_S = 0.3
PERMITS = 8


def test_killed_under_load(
    form, chance, seed, permits, writing, follower, until, sent_again, problems
):
    """Acknowledged commands are there; open ones take effect once when they are sent again."""
    acknowledged = permits(PERMITS)
    workload = Workload(seed, tuple(confirmed.number for confirmed in acknowledged))
    still_open = set()

    for number in range(1, KILLS + 1):
        writer = writing(workload, name=f"w{number}", form=form)
        until(writer.have(ENOUGH))
        until(writer.have(chance.randrange(ENOUGH)))
        writer.kill()
        assert [] == writer.unexpected
        acknowledged += writer.acknowledged
        still_open |= writer.open

    assert still_open
    assert {} == problems(acknowledged)
    acknowledged += sent_again(workload, still_open)
    done = [confirmed.key for confirmed in acknowledged]
    assert {} == problems(acknowledged, done=done, follower=follower)


@pytest.mark.parametrize("persisted", [False, True], ids=["not persisted", "persisted"])
def test_killed_while_it_waits_for_the_commit(
    form, seed, writing, proxy, until, persisted, sent_again, problems
):
    """Its append never arrived, or was committed without an answer: another service executes the
    same command once, or returns the first response."""
    workload = Workload(seed)
    request = workload.request("w1-1")
    proxy.strike(request.marker, reaches=persisted, cut=False)
    writer = writing(workload, name="w1", form=form, clients=1, url=proxy.url)
    until(proxy.struck.is_set)
    writer.kill()

    [answer] = sent_again(workload, writer.open)

    assert ["w1-1"] == writer.sent
    assert (1, 1, persisted) == (answer.position, answer.version, answer.replayed)
    assert {} == problems([answer], done=["w1-1"])
