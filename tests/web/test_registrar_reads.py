"""A registrar's reads on the holder's page and on the investigator's."""

import pytest
from playwright.sync_api import expect

from tests.web.people import Holder, Investigator

SHOWN = {
    "en": ("Card, with personal details", "Station 320211-01, account registrar@development"),
    "zh": ("实体居住证（含个人信息）", "受理点 320211-01，账号 registrar@development"),
}


@pytest.mark.parametrize("language", SHOWN)
def test_the_holder_sees_who_looked(visitor, registrar, application, language):
    """In the page's language, in a list of its own beside the checks."""
    person = application()
    permit = registrar.post("/v1/permits", person).json()
    registrar.get(f"/v1/permits/{permit['permit_number']}/physical")

    holder = Holder(visitor(language=language), person["holder"]["citizen_id_number"])

    reads = holder.page.locator("#reads li")
    for text in SHOWN[language]:
        expect(reads.filter(has_text=SHOWN[language][0])).to_contain_text(text)


def test_the_investigator_sees_who_looked(visitor, registrar, application):
    """More than a page of them, one page after the other."""
    number = registrar.post("/v1/permits", application()).json()["permit_number"]
    for _ in range(51):
        registrar.get(f"/v1/permits/{number}")

    page = Investigator(visitor(), number).page

    reads = page.locator("#registrar-reads li")
    expect(reads).to_have_count(50)
    page.locator("#more-registrar-reads").click()
    expect(reads).to_have_count(51)
