"""The statistics' page: figures, charts in the reader's language, and new numbers as they come."""

import re

import pytest
from playwright.sync_api import expect

from consumers.analytics.publishing import STEP_EVENTS
from tests.web.browsers import DESK, PHONE

PATIENCE_MS = 60_000


@pytest.fixture
def stats(visitor, settled):
    """``stats(viewport)``: the page, as soon as it shows numbers and charts."""

    def stats(viewport=PHONE, **options):
        page = visitor(viewport=viewport, **options).open("/stats")
        expect(page.locator("#figure-in_force")).not_to_have_text("–", timeout=PATIENCE_MS)
        chart = page.locator("#in_force_by_district .question__chart img")
        expect(chart).to_be_visible(timeout=PATIENCE_MS)
        return page

    return stats


def shown(page):
    """The address of the chart that the browser has chosen, once it has it."""
    chart = page.locator("#in_force_by_district .question__chart img")
    chart.scroll_into_view_if_needed()
    page.wait_for_function(
        "image => image.complete && image.naturalWidth > 0", arg=chart.element_handle()
    )
    return chart.evaluate("image => image.currentSrc")


@pytest.mark.parametrize(("language", "code"), [("en", "en"), ("zh", "zh")])
@pytest.mark.parametrize(("viewport", "width"), [(PHONE, "narrow"), (DESK, "wide")])
def test_charts_are_in_the_reader_s_language_and_as_wide_as_the_screen(
    stats, language, code, viewport, width
):
    """And the browser can display them."""
    assert f"in_force.{code}.{width}." in shown(stats(viewport, language=language))


def test_the_numbers_of_a_chart_can_be_read_and_downloaded(stats):
    """Withheld numbers are marked as such."""
    page = stats()
    page.locator("#in_force_by_district summary").click()
    rows = page.locator("#in_force_by_district tbody tr")

    assert "Binhu" in rows.first.inner_text()
    assert rows.count() >= 1
    with page.expect_download() as download:
        page.locator("#in_force_by_district a", has_text="CSV").click()
    assert "in_force_by_district.csv" == download.value.suggested_filename


def test_new_numbers_appear_without_a_reload(stats, registrar, application):
    """After the next step, on a page that is already open."""
    page = stats(DESK)
    before = page.locator("#as-of").inner_text()
    position = int(re.sub(r"\D", "", before.split("·")[0]))
    for _ in range(STEP_EVENTS + 1):
        assert 201 == registrar.post("/v1/permits", application()).status_code

    expect(page.locator("#as-of")).not_to_have_text(before, timeout=PATIENCE_MS)
    after = page.locator("#as-of").inner_text()
    assert int(re.sub(r"\D", "", after.split("·")[0])) > position
