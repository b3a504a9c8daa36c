"""Finding a person's permits: what each event does to an entry."""

from dataclasses import replace

import pytest

from domain.events import IdentityCorrected
from projections.search import SearchEntry, SearchView
from tests.ledger.examples import EXAMPLES

ISSUED, *LATER = EXAMPLES
[CORRECTED] = [event for event in LATER if isinstance(event, IdentityCorrected)]


@pytest.fixture
def view(blind_index):
    return SearchView(blind_index)


@pytest.fixture
def entry(blind_index):
    """``entry(number)``: the permit, found under this citizen number."""

    def entry(number):
        return SearchEntry(permit_number="7Q2M9K4T8XW5", citizen_index=blind_index.of(number).hex())

    return entry


def test_an_entry_begins_with_the_issue(view, entry):
    """Under the holder's number, which is not in it."""
    begun = view.evolve(None, ISSUED)

    assert entry("990000200802290034") == begun
    assert "990000200802290034" not in str(begun)


def test_a_corrected_number_moves_the_entry(view, entry):
    """Nobody is found under the wrong number any more."""
    begun = view.evolve(None, ISSUED)

    assert entry("990000199001010033") == view.evolve(begun, CORRECTED)


@pytest.mark.parametrize(
    "event",
    [replace(CORRECTED, citizen_id_number=None), *[e for e in LATER if e is not CORRECTED]],
    ids=lambda event: event.TOPIC,
)
def test_every_other_event_leaves_it(view, event):
    """Also the permit's end: an ended permit is found as well."""
    begun = view.evolve(None, ISSUED)

    assert begun is view.evolve(begun, event)
