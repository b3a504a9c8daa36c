"""Invariant 2: the network fails before the append gets there, or after it is committed."""

from functools import partial

import pytest

from tests.chaos.workload import Acknowledgement, Request

SEVERAL = 5


@pytest.fixture
def request_():
    """Some command."""
    return Request("w1-1")


@pytest.mark.parametrize(
    ("persisted", "sendings"), [(False, 2), (True, 1)], ids=["not persisted", "persisted"]
)
def test_an_append_survives_a_cut_connection(
    form, request_, services, proxy, persisted, sendings, problems
):
    """The caller gets its positions; only statements that never arrived are sent again."""
    service = services(form, url=proxy.url)
    proxy.strike(request_.marker, reaches=persisted, cut=True)

    answer = Acknowledgement.of(request_, service.run(request_))

    assert sendings == proxy.sendings
    assert (1, 1, False) == (answer.position, answer.version, answer.replayed)
    again = Acknowledgement.of(request_, service.run(request_))
    assert (1, 1, True) == (again.position, again.version, again.replayed)
    assert {} == problems([answer, again], done=["w1-1"])


@pytest.mark.parametrize(
    ("persisted", "sendings"), [(False, 2), (True, 1)], ids=["not persisted", "persisted"]
)
def test_a_whole_batch_survives_a_cut_connection(
    form, seed, permits, services, proxy, persisted, sendings, together, problems
):
    """Commands of one batch are resolved one by one, changes and issues alike."""
    moved = [confirmed.number for confirmed in permits(SEVERAL)]
    requests = [Request(f"w1-{n}", number) for n, number in enumerate([*moved, None, None], 1)]
    service = services(form, url=proxy.url)
    proxy.strike(requests[SEVERAL].marker, reaches=persisted, cut=True)

    answers = together(
        service,
        lambda: service.run(Request("w1-0")),
        [partial(service.run, request) for request in requests],
    )

    assert sendings == proxy.sendings
    confirmed = [Acknowledgement.of(*pair) for pair in zip(requests, answers, strict=True)]
    assert [False] * len(confirmed) == [answer.replayed for answer in confirmed]
    assert {} == problems(confirmed, done=[request.key for request in requests])
