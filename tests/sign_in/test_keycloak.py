"""Signing in at Keycloak: the pages in a browser, and what an attacker would try without one."""

from collections.abc import Callable
from datetime import date
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
import segno
from playwright.sync_api import Page, expect

from domain import citizen_id
from tests.api.service import Service
from tests.sign_in.keycloak import PASSWORD, Keycloak, user
from tests.sign_in.visitor import Walker
from tests.waiting import until
from tests.web.browsers import Visitor

WAIT_S = 60
NUMBER = citizen_id.compose("320106", date(1990, 1, 1), 7)
STRANGER = citizen_id.compose("320106", date(1991, 1, 1), 7)
APPLICATION = {
    "holder": {
        "name": "欧阳测试",
        "sex": "1",
        "ethnicity": "01",
        "birth_date": "1990-01-01",
        "citizen_id_number": NUMBER,
        "hukou_address": "安徽省合肥市蜀山区示例路1号",
    },
    "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
    "residence_registered_on": "2020-01-15",
    "ground": "employment",
}
SESSION_STATUS = "fetch('/auth/session').then((answer) => answer.status)"
TYPED = {
    "name": "欧阳测试",
    "citizen_id_number": citizen_id.compose("320106", date(1992, 2, 2), 9),
    "birth_date": "1992-02-02",
    "hukou_address": "安徽省合肥市蜀山区示例路1号",
    "address": "滨湖区示例新村8号101室",
    "residence_registered_on": "2020-01-15",
}


@pytest.fixture(scope="module")
def users() -> list[dict[str, Any]]:
    """Of all roles, and some that lack something."""
    return [
        user("registrar", "permit-registrar", station="320211-01"),
        user("colleague", "permit-registrar", station="320211-01"),
        user("stationless", "permit-registrar"),
        user("roleless"),
        user("torn", "permit-registrar", "permit-verifier", station="320211-01"),
        user("verifier", "permit-verifier", scenarios=["patrol_inspection"]),
        user("investigator", "permit-investigator"),
        user("holder", "permit-holder", citizen_id_number=NUMBER),
        user("newcomer", "permit-holder", citizen_id_number=STRANGER),
        user("numberless", "permit-holder"),
    ]


@pytest.fixture(scope="module")
def permit(service: Service) -> dict[str, Any]:
    """The holder's."""
    registrar = Walker(service.url)
    registrar.sign_in("registrar")
    answer = registrar.post("/v1/permits", APPLICATION)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def sign_in(page: Page, name: str) -> None:
    page.locator("#sign-in").click()
    page.locator("#username").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#kc-login").click()


def test_a_registrar_signs_in_works_and_signs_out(
    visitor: Callable[..., Visitor], permit: dict[str, Any]
) -> None:
    page = visitor().open("/counter")
    sign_in(page, "registrar")
    expect(page.locator("#counter")).to_contain_text("320211-01")
    page.locator("#citizen").fill(NUMBER)
    page.locator("#find .button").first.click()
    expect(page.locator(".summary__number")).to_have_text(permit["permit_number"])
    expect(page.locator("#live")).to_have_attribute("data-state", "live")  # an event stream
    stored = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert "eyJ" not in stored, "a token has reached the page"
    assert "permit-ledger=" not in stored

    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Signed out")
    page.goto("/counter")
    page.locator("#sign-in").click()
    expect(page.locator("#username")).to_be_visible()  # the provider's session is over, too


def test_a_holder_is_found_by_the_citizen_number(
    visitor: Callable[..., Visitor], permit: dict[str, Any], service: Service
) -> None:
    page = visitor().open("/me")
    sign_in(page, "holder")
    expect(page.locator("main")).to_contain_text(permit["permit_number"])
    rows = service.rows("SELECT id_digest, account_digest, sealed FROM ledger.sessions")
    assert rows
    assert not any(NUMBER.encode() in bytes(value) for row in rows for value in row)


@pytest.mark.parametrize(
    ("name", "page", "code", "words"),
    [
        ("newcomer", "/me", "unknown_holder", "Apply for one at a police station"),
        ("numberless", "/me", "no_number", "Have your identity verified"),
        ("stationless", "/counter", "no_station", "set the station"),
        ("roleless", "/counter", "no_role", "no role in this service"),
        ("torn", "/counter", "several_roles", "leave it one"),
    ],
)
def test_an_account_that_lacks_something_is_told_what_to_do(
    visitor: Callable[..., Visitor], service: Service, name: str, page: str, code: str, words: str
) -> None:
    assert Walker(service.url).sign_in(name, page) == f"{page}#sign-in={code}"
    shown = visitor().open(f"{page}#sign-in={code}")
    expect(shown.locator(".notice--bad")).to_contain_text(words)


def test_what_was_typed_outlives_the_session(
    visitor: Callable[..., Visitor], provider: Keycloak
) -> None:
    """The application is sent after the account was signed out elsewhere: the form is as it was,
    once its officer has signed in again."""
    page = visitor(tolerates="401").open("/counter")
    sign_in(page, "colleague")
    page.locator("#new").click()
    form = page.locator("#issue")
    for name, value in TYPED.items():
        form.locator(f"input[name={name}]").fill(value)
    form.locator("select[name=sex]").select_option("1")
    form.locator("select[name=ground]").select_option("schooling")
    provider.end_sessions("colleague")
    until(lambda: page.evaluate(SESSION_STATUS) == 401, wait_s=WAIT_S)
    form.locator(".button:not(.button--quiet)").click()
    page.locator("[data-action=sign-in-again]").click()

    sign_in(page, "colleague")
    expect(form.locator("[name=name]")).to_have_value(TYPED["name"])
    assert TYPED == {name: form.locator(f"[name={name}]").input_value() for name in TYPED}
    assert form.locator("[name=ground]").input_value() == "schooling"


def test_a_camera_picture_is_sent_with_the_session(service: Service) -> None:
    """As a body that is no JSON, with the session's token beside it."""
    verifier = Walker(service.url)
    verifier.sign_in("verifier", "/verify")
    shown = "HTTP://127.0.0.1:8000/V/3ZQ8K5V0N1C7W2RXG4T9J6MEHA"
    code = BytesIO()
    segno.make_qr(shown).save(code, kind="png", scale=6)
    page = {"origin": service.url, "sec-fetch-site": "same-origin", "content-type": "image/png"}
    token = {"x-csrf-token": verifier.session()["csrf_token"]}
    statuses = {}
    for name, headers in (("page", {**page, **token}), ("another page", page)):
        answer = verifier.ask(
            "POST", "/v1/verifications/frames", content=code.getvalue(), headers=headers
        )
        statuses[name] = answer.status_code
        if name == "page":
            assert shown.lower() in answer.text.lower()
    assert statuses == {"page": 200, "another page": 403}


def test_a_page_of_another_role_says_who_is_signed_in(visitor: Callable[..., Visitor]) -> None:
    page = visitor().open("/verify")
    sign_in(page, "registrar")
    expect(page.locator(".notice--warn")).to_contain_text("registrar")


def test_an_investigator_names_the_case_for_the_session(
    visitor: Callable[..., Visitor], permit: dict[str, Any]
) -> None:
    number = permit["permit_number"]
    page = visitor().open("/audit")
    sign_in(page, "investigator")
    page.locator("#signin-case").fill("2026-苏-17")
    page.locator(".signin .button").click()
    expect(page.locator("#case")).to_contain_text("2026-苏-17")
    page.locator("#permit-number").fill(number)
    page.locator("#permit-number").press("Enter")
    expect(page.locator("#reads")).to_contain_text("2026-苏-17")
    with page.expect_download() as evidence:
        page.locator("#evidence").click()
    assert evidence.value.suggested_filename.startswith(f"evidence-{number}-")


def test_the_case_is_required_and_bounded(service: Service, permit: dict[str, Any]) -> None:
    investigator = Walker(service.url)
    investigator.sign_in("investigator", "/audit")
    path = f"/v1/audit/permits/{permit['permit_number']}/events"
    for case, status in (
        (None, 403),
        ("", 422),
        ("x" * 65, 422),
        ("a\tb", 422),
        (NUMBER, 403),
        ("2026-1", 200),
    ):
        headers = {} if case is None else {"Audit-Case": case}
        assert investigator.ask("GET", path, headers=headers).status_code == status, case


def test_a_stolen_cookie_writes_nothing(service: Service) -> None:
    """From a page of another origin, which has neither our address nor the session's token."""
    victim = Walker(service.url)
    victim.sign_in("registrar")
    token = victim.session()["csrf_token"]
    search = {"citizen_id_number": NUMBER}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": ""},
        {"x_csrf_token": ""},
        {"x_csrf_token": token[:-1] + "x"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):
        answer = victim.post("/v1/permits/searches", search, **headers)
        assert answer.status_code == 403, headers
        assert victim.post("/auth/sign-out", **headers).status_code == 403
    own = {"x-csrf-token": token}
    assert victim.ask("POST", "/v1/permits/searches", json=search, headers=own).status_code == 403
    cross = {"sec-fetch-site": "cross-site"}
    assert victim.ask("GET", "/v1/id-card-applications", headers=cross).status_code == 403
    assert victim.post("/v1/permits/searches", search).status_code == 200
    page = victim.ask("GET", "/counter", headers={"accept": "text/html"})
    assert page.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_a_sign_in_belongs_to_the_browser_that_began_it(service: Service) -> None:
    """State, nonce, code and cookie: changed, used twice, or in another browser."""
    back = Walker(service.url).callback("registrar")
    assert Walker(service.url).ask("GET", back).headers["location"] == "/signed-out#sign-in=expired"

    for change, code in (
        ({"state": "x" * 32}, "expired"),
        ({"state": ""}, "expired"),
        ({"code": ""}, "invalid_answer"),
        ({"code": "x" * 40}, "refused"),
        ({"iss": "https://evil.example"}, "invalid_answer"),
        ({"error": "access_denied"}, "access_denied"),
    ):
        walker = Walker(service.url)
        answer = walker.ask("GET", changed(walker.callback("registrar"), change))
        assert answer.headers["location"] == f"/counter#sign-in={code}", change
        assert walker.session_cookie is None

    walker = Walker(service.url)
    back = walker.callback("registrar")
    assert walker.ask("GET", back).headers["location"] == "/counter"
    again = walker.ask("GET", back)
    assert again.headers["location"] == "/signed-out#sign-in=expired"


def changed(address: str, change: dict[str, str]) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **change})))


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "/\\evil.example", "https://evil.example", "/counter?x=1", "/a\r\nb: c", ""],
)
def test_after_the_sign_in_no_other_site_is_opened(service: Service, address: str) -> None:
    walker = Walker(service.url)
    answer = walker.ask("GET", "/auth/sign-in", params={"next": address})
    form = walker.ask("GET", answer.headers["location"])
    assert form.status_code == 200
    query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    denied = f"/auth/callback?{urlencode({'state': query['state'], 'error': 'access_denied'})}"
    assert walker.ask("GET", denied).headers["location"] == "/#sign-in=access_denied"


def test_a_session_can_be_neither_made_nor_moved_in_the_database(service: Service) -> None:
    """By those who can write to its table: the seal is bound to the identifier."""
    registrar, other = Walker(service.url), Walker(service.url)
    registrar.sign_in("registrar")
    other.sign_in("verifier", "/verify")
    [sealed] = service.rows("SELECT sealed FROM ledger.sessions ORDER BY begun_at DESC LIMIT 1")[0]
    own = registrar.session_cookie or ""
    service.execute(
        "UPDATE ledger.sessions SET sealed = (SELECT sealed FROM ledger.sessions ORDER BY begun_at"
        " DESC LIMIT 1)"
    )
    assert registrar.ask("GET", "/auth/session").status_code == 401
    assert other.session()["role"] == "verifier"
    for made_up in ("", "x", "x" * 5000, own[:-2] + "AA", sealed.hex()):
        registrar.session_cookie = made_up
        assert registrar.ask("GET", "/auth/session").status_code == 401, made_up


def test_a_session_is_renewed_at_each_sign_in_and_ends_unused(service: Service) -> None:
    walker = Walker(service.url)
    walker.sign_in("registrar")
    first = walker.session_cookie
    walker.ask("GET", walker.ask("GET", "/auth/sign-in?next=/counter").headers["location"])
    other = Walker(service.url)
    other.sign_in("registrar")
    other.session_cookie = first
    assert other.session()["role"] == "registrar"
    service.execute("UPDATE ledger.sessions SET used_at = used_at - interval '31 minutes'")
    assert other.ask("GET", "/auth/session").status_code == 401


def test_a_live_stream_ends_with_its_session_and_does_not_prolong_it(
    service: Service, permit: dict[str, Any]
) -> None:
    """A page opens it by itself, as often as it ends. What happens after the sign-out is not sent
    any more."""
    path = f"/v1/permits/{permit['permit_number']}"
    colleague, registrar = Walker(service.url), Walker(service.url)
    colleague.sign_in("colleague")
    registrar.sign_in("registrar")
    service.execute("UPDATE ledger.sessions SET used_at = used_at - interval '20 minutes'")
    used_at = "SELECT used_at FROM ledger.sessions ORDER BY begun_at DESC LIMIT 1"
    before = service.rows(used_at)
    with registrar.listening(f"{path}/live") as lines:
        assert "event: permit" == next(lines)
        assert before == service.rows(used_at)
        assert registrar.post("/auth/sign-out").status_code == 200
        assert colleague.post(f"{path}/loss-reports").status_code == 200
        heard = [line for line in lines if line.startswith("event: ")]
    assert ["event: end"] == heard
    assert registrar.ask("GET", f"{path}/live").status_code == 401
    assert colleague.post(f"{path}/loss-lifts").status_code == 200


def test_the_provider_ends_sessions(service: Service, provider: Keycloak) -> None:
    """All those of the account, in whatever browser, and no other's."""
    one, another, colleague = (Walker(service.url) for _ in range(3))
    one.sign_in("registrar")
    another.sign_in("registrar")
    colleague.sign_in("colleague")
    provider.end_sessions("registrar")
    for walker in (one, another):
        until(lambda of=walker: of.ask("GET", "/auth/session").status_code == 401, wait_s=WAIT_S)
    assert colleague.session()["station"] == "320211-01"


def test_forged_logout_tokens_end_nothing(service: Service) -> None:
    walker = Walker(service.url)
    walker.sign_in("registrar")
    own_token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."
    for body in (b"", b"logout_token=", f"logout_token={own_token}".encode(), b"\xff" * 100):
        answer = walker.ask(
            "POST",
            "/auth/back-channel-logout",
            content=body,
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 400, body
        assert answer.headers["content-type"] == "application/problem+json"
    assert walker.session()["role"] == "registrar"


def test_rotated_keys_of_the_provider_are_found(service: Service, provider: Keycloak) -> None:
    provider.rotate_keys()
    walker = Walker(service.url)
    assert walker.sign_in("registrar") == "/counter"
    assert walker.session()["role"] == "registrar"


def test_the_sign_in_says_when_the_provider_is_down(
    visitor: Callable[..., Visitor],
) -> None:
    page = visitor().open("/counter#sign-in=provider_unavailable")
    expect(page.locator(".notice--bad")).to_contain_text("can't be reached")
