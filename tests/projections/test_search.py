"""The search index of permits by person: what each event does to an entry."""

from dataclasses import replace

import pytest

from domain import personal
from domain.events import IdentityCorrected
from projections.views.search import SearchEntry, SearchView
from tests.projections.scenarios import ERASED, ISSUED, LATER

[CORRECTED] = [event for event in LATER if isinstance(event, IdentityCorrected)]


@pytest.fixture
def view(blind_index):
    return SearchView(blind_index)


@pytest.fixture
def entry(blind_index):
    """``entry(number)``: the permit, found under this citizen ID number."""

    def entry(number):
        return SearchEntry(permit_number="7Q2M9K4T8XW5", citizen_index=blind_index.of(number).hex())

    return entry


def test_an_entry_begins_with_the_issue(view, entry):
    """Under the blind index of the holder's number; the number itself is not stored."""
    begun = view.evolve(None, ISSUED)

    assert entry("990000200802290034") == begun
    assert "990000200802290034" not in str(begun)


def test_a_corrected_number_moves_the_entry(view, entry):
    """The person is no longer found under the wrong number."""
    begun = view.evolve(None, ISSUED)

    assert entry("990000199001010033") == view.evolve(begun, CORRECTED)


@pytest.mark.parametrize(
    "event",
    [
        replace(CORRECTED, citizen_id_number=None),
        *[event for event in LATER if event not in (CORRECTED, ERASED)],
    ],
    ids=lambda event: event.TOPIC,
)
def test_every_other_event_leaves_the_entry_unchanged(view, event):
    """Also the permit's end: an ended permit is found as well."""
    begun = view.evolve(None, ISSUED)

    assert view.evolve(begun, event) is None


def test_an_erased_holder_is_not_found(view):
    """The permit stays on record, under no number."""
    begun = view.evolve(None, ISSUED)

    assert SearchEntry(permit_number="7Q2M9K4T8XW5", citizen_index=None) == view.evolve(
        begun, ERASED
    )


def test_an_event_read_without_its_key_has_no_entry(view):
    """In views rebuilt after an erasure, the person is not found even in between."""
    issued = replace(ISSUED, identity=personal.ERASED)
    corrected = replace(CORRECTED, citizen_id_number=personal.ERASED)

    begun = view.evolve(None, issued)

    assert SearchEntry(permit_number="7Q2M9K4T8XW5", citizen_index=None) == begun
    assert view.evolve(begun, corrected) is None
