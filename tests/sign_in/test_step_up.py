"""The step-up of a claim at Keycloak, whose shipped realm asks for the password again where a
provider of the real world compares the face. P19."""

import html
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import ECKey
from playwright.sync_api import Page, expect

from domain import citizen_id
from tests.api.phones import proof_of
from tests.api.service import Service
from tests.sign_in.keycloak import PASSWORD, Keycloak, user
from tests.sign_in.visitor import FORM_ACTION, Walker
from tests.web.browsers import Visitor

STEP_UP = "/auth/sign-in?next=/me&step_up=face"
NUMBERS = {
    name: citizen_id.compose("320106", date(1990, 1, 1), sequence)
    for name, sequence in (("claimant", 101), ("walker", 103), ("hasty", 105), ("mistaken", 107))
}


@pytest.fixture(scope="module")
def users() -> list[dict[str, Any]]:
    return [
        user("issuer", "permit-registrar", station="320211-01"),
        *(
            user(name, "permit-holder", citizen_id_number=number)
            for name, number in NUMBERS.items()
        ),
    ]


@pytest.fixture(scope="module")
def permits(service: Service) -> dict[str, str]:
    """Their numbers, by the holders' accounts."""
    registrar = Walker(service.url)
    registrar.sign_in("issuer")
    issued = {}
    for name, number in NUMBERS.items():
        answer = registrar.post(
            "/v1/permits",
            {
                "holder": {
                    "name": "欧阳测试",
                    "sex": "1",
                    "ethnicity": "01",
                    "birth_date": "1990-01-01",
                    "citizen_id_number": number,
                    "hukou_address": "安徽省合肥市蜀山区示例路1号",
                },
                "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
                "residence_registered_on": "2020-01-15",
                "ground": "employment",
            },
        )
        assert answer.status_code == 201, answer.text
        issued[name] = answer.json()["permit_number"]
    return issued


def sign_in(page: Page, name: str) -> None:
    page.locator("#sign-in").click()
    page.locator("#username").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#kc-login").click()


def claim(walker: Walker, number: str) -> Any:
    """With a proof by a new phone's key, as the page makes it."""
    key = ECKey.generate_key("P-256", private=True)
    path = f"/v1/permits/{number}/electronic/claims"
    secret = walker.session()["csrf_token"]
    proof = proof_of(key, "POST", f"{walker.url}{path}", secret)
    body = {"confirmed": True, "device_key": key.as_dict(private=False)}
    return walker.post(path, body, x_csrf_token=secret, dpop=proof)


def step_up(walker: Walker) -> str:
    """Answer the provider's question; where the browser ends."""
    begun = walker.ask("GET", STEP_UP).headers["location"]
    form = FORM_ACTION.search(walker.ask("GET", begun).text)
    assert form
    back = walker.ask("POST", html.unescape(form[1]), data={"password": PASSWORD})
    return str(walker.ask("GET", back.headers["location"]).headers["location"])


def test_a_holder_claims_and_keeps_what_was_confirmed(
    visitor: Callable[..., Visitor], service: Service, permits: dict[str, str]
) -> None:
    """The button leads to the provider, and the claim goes on by itself afterwards."""
    page = visitor(tolerates="401").open("/me")
    sign_in(page, "claimant")
    page.locator("#right").check()
    page.locator("#claim").click()
    page.locator("#password").fill(PASSWORD)
    page.locator("#kc-login").click()
    expect(page.locator("#qr svg")).to_be_visible(timeout=60_000)
    assert page.evaluate("sessionStorage.getItem('permit-ledger.claim')") is None

    [[position]] = service.rows(
        "SELECT position FROM ledger.events WHERE stream = %s AND topic = %s",
        permits["claimant"],
        "permit.electronic-claimed.v2",
    )
    kept = service.event(position)["face_match"]
    assert ("step_up", "face") == (kept["proof"], kept["reference"])


def test_a_cancelled_step_up_claims_nothing_and_asks_no_further(
    visitor: Callable[..., Visitor], permits: dict[str, str]
) -> None:
    """The page says so and keeps what was confirmed; the next try is the holder's."""
    page = visitor(tolerates="401").open("/me")
    sign_in(page, "hasty")
    page.locator("#right").check()
    with page.expect_request(lambda asked: "/auth/sign-in" in asked.url) as leaving:
        page.locator("#claim").click()
    assert "step_up=face" in leaving.value.url
    expect(page.locator("#password")).to_be_visible()
    page.goto("/me#sign-in=no_face_match")
    expect(page.locator(".notice--bad")).to_contain_text("Set up face recognition")
    expect(page.locator("#right")).to_be_checked()
    expect(page.locator("#claim")).to_be_visible()
    assert page.url.endswith("/me")


def test_a_session_needs_a_fresh_step_up(service: Service, permits: dict[str, str]) -> None:
    """A sign-in with the password is none; one that has stepped up claims, in its minutes."""
    walker, number = Walker(service.url), permits["walker"]
    walker.sign_in("walker", "/me")
    before = claim(walker, number)
    assert (401, "INSUFFICIENT_USER_AUTHENTICATION") == (
        before.status_code,
        before.json()["code"],
    )
    assert 'acr_values="face", max_age=300' in before.headers["www-authenticate"]

    former = walker.session_cookie
    assert step_up(walker) == "/me"
    assert walker.session_cookie != former
    assert claim(walker, number).status_code == 201


def test_a_provider_that_has_not_stepped_up_is_not_believed(
    service: Service, permits: dict[str, str]
) -> None:
    """Its answer counts, not what it was asked: here the browser has taken the question away."""
    walker = Walker(service.url)
    walker.sign_in("hasty", "/me")
    session = walker.session_cookie
    asked = walker.ask("GET", STEP_UP).headers["location"]
    query = dict(parse_qsl(urlsplit(asked).query))
    assert ("face", "300") == (query.pop("acr_values"), query.pop("max_age"))
    back = walker.ask("GET", asked.partition("?")[0], params=query).headers["location"]

    assert walker.ask("GET", back).headers["location"] == "/me#sign-in=no_face_match"
    assert walker.session_cookie == session
    assert claim(walker, permits["hasty"]).status_code == 401


def test_a_corrected_number_is_no_longer_the_accounts(
    service: Service, permits: dict[str, str]
) -> None:
    """A claim sees it at once, and with it every other request of the session."""
    walker, registrar, number = Walker(service.url), Walker(service.url), permits["mistaken"]
    walker.sign_in("mistaken", "/me")
    assert walker.ask("GET", "/v1/me/permit").json()["permit_number"] == number
    registrar.sign_in("issuer")
    other = citizen_id.compose("320106", date(1990, 1, 1), 109)
    corrected = registrar.post(
        f"/v1/permits/{number}/identity-corrections", {"citizen_id_number": other}
    )
    assert corrected.status_code == 200, corrected.text

    assert (401, "UNAUTHENTICATED") == _outcome(claim(walker, number))
    assert (401, "UNAUTHENTICATED") == _outcome(walker.ask("GET", "/v1/me/permit"))
    assert Walker(service.url).sign_in("mistaken", "/me") == "/me#sign-in=unknown_holder"


def _outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_another_step_up_than_a_face_is_bad_input(service: Service, provider: Keycloak) -> None:
    """Problem, no redirect."""
    answer = Walker(service.url).ask("GET", "/auth/sign-in?step_up=other")

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
    assert provider.issuer not in answer.text
