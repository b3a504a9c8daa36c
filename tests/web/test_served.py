"""How pages and files are served: languages, caches, and the content security policy."""

import re

import pytest
from langcodes import Language

from web.languages import preferred

PAGES = ["/", "/me", "/verify", "/counter", "/counter/id-cards", "/progress", "/v/ABC", "/V/ABC"]
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def no_choice_is_left(http):
    """A client keeps the language that a test has chosen; remove it."""
    yield
    http.cookies.clear()


@pytest.mark.parametrize("address", PAGES)
def test_a_page_runs_only_its_own_scripts(http, address):
    """No inline script or style, no other origin, no framing, no HTML from strings."""
    answer = http.get(address, headers=HTML)
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )

    assert 200 == answer.status_code
    assert ("'none'", "'self'", "'self'") == (
        policy["default-src"],
        policy["script-src"],
        policy["style-src"],
    )
    assert ("'none'", "'script'") == (
        policy["frame-ancestors"],
        policy["require-trusted-types-for"],
    )
    assert ("nosniff", "no-referrer") == (
        answer.headers["x-content-type-options"],
        answer.headers["referrer-policy"],
    )
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?!/)", answer.text)
    assert not re.search(
        r"<script(?![^>]*(?:src=|type=\"application/json\"))|\sstyle=|\son\w+=", answer.text
    )


@pytest.mark.parametrize(
    ("accepted", "stored", "expected"),
    [
        ("", None, "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", None, "zh-CN"),
        ("zh-TW", None, "zh-CN"),
        ("en-GB,zh;q=0.9", None, "en"),
        ("fr,zh;q=0.5,en;q=0.3", None, "zh-CN"),
        ("zh;q=0", None, "en"),
        ("zh;q=much,en", None, "en"),
        ("cmn-Hans-CN", None, "zh-CN"),
        ("zh-Hant-TW", None, "zh-CN"),
        ("zh_CN", None, "zh-CN"),
        ("yue", None, "zh-CN"),
        ("wuu, en;q=0.5", None, "zh-CN"),
        ("nan-Hant-TW", None, "zh-CN"),
        ("zh-min-nan", None, "zh-CN"),
        ("zh;Q=0.9", None, "zh-CN"),
        ("en;q=0.5,zh;q=0.5", None, "en"),
        ("zh;q=0.5,en-AU;q=0.5", None, "zh-CN"),
        ("zh;q=0, en", None, "en"),
        ("zh;q=0, *", None, "en"),
        ("en;q=0", None, "zh-CN"),
        ("en;q=0, *", None, "zh-CN"),
        ("en;q=0, zh;q=0", None, "en"),
        ("*", None, "en"),
        ("*;q=0.5, zh;q=0.1", None, "en"),
        ("fr, *;q=0.1", None, "en"),
        ("i-klingon, x-private, 1, -, zz-ZZ", None, "en"),
        ("zh" + "-x" * 3000, None, "zh-CN"),
        ("," * 5000, None, "en"),
        ("en", "zh", "zh-CN"),
        ("zh", "en", "en"),
        ("zh", "<script>", "zh-CN"),
    ],
)
def test_the_language_is_the_stored_choice_then_the_browsers(http, accepted, stored, expected):
    """English if neither is set."""
    cookie = {"cookie": f"language={stored}"} if stored else {}
    answer = http.get("/me", headers={**HTML, "accept-language": accepted, **cookie})

    assert f'<html lang="{expected}">' in answer.text


def test_several_accept_language_lines_form_one_list(http):
    """RFC 9110 §5.3."""
    lines = [("accept", "text/html"), ("accept-language", "fr"), ("accept-language", "zh")]
    assert '<html lang="zh-CN">' in http.get("/me", headers=lines).text


def test_unknown_languages_are_not_cached(http):
    """The library caches its arguments: it is called with known languages only, not with tags."""
    for n in range(100):
        preferred(None, ", ".join(f"zh-x-{n}-{m}, q{m:02}" for m in range(50)))
    assert not [tag for tag, _ in Language._PARSE_CACHE if "-x-" in tag]


def test_a_chosen_language_is_kept(http):
    """Without a script; only the available languages."""
    answer = http.get("/me?language=zh", headers=HTML)
    assert (303, "/me") == (answer.status_code, answer.headers["location"])
    assert "language=zh;" in answer.headers["set-cookie"]

    answer = http.get("/me?language=tlh", headers=HTML)
    assert (200, None) == (answer.status_code, answer.headers.get("set-cookie"))


def test_an_unchanged_page_is_revalidated_and_not_sent_again(http):
    """An entity tag is computed from its content; another language has another."""
    first = http.get("/verify", headers=HTML)
    tag = first.headers["etag"]
    again = http.get("/verify", headers={**HTML, "if-none-match": tag})
    other = http.get("/verify", headers={**HTML, "if-none-match": tag, "accept-language": "zh"})

    assert ("no-cache", 304, b"") == (
        first.headers["cache-control"],
        again.status_code,
        again.content,
    )
    assert 200 == other.status_code
    assert {"Accept-Language", "Cookie"} <= set(first.headers["vary"].split(", "))


def test_every_file_of_a_page_is_served_and_cached_without_limit(http):
    """Under an address of its version; imported modules as well."""
    for page in PAGES:
        files = re.findall(r'(?:src|href)="(/static/[^"]+)"', http.get(page, headers=HTML).text)
        assert files
        for file in files:
            answer = http.get(file)
            assert (200, "public, max-age=31536000, immutable") == (
                answer.status_code,
                answer.headers["cache-control"],
            )
            for imported in re.findall(r'from "(\./[^"]+|\.\./[^"]+)"', answer.text):
                assert 200 == http.get(file.rsplit("/", 1)[0] + "/" + imported).status_code


@pytest.mark.parametrize(
    "file", ["js/nothing.js", "../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "js/", ""]
)
def test_nothing_else_is_served(http, file):
    """No file outside the folder, and no folder."""
    version = re.search(r"/static/(\w+)/", http.get("/", headers=HTML).text)
    assert version
    assert 404 == http.get(f"/static/{version[1]}/{file}").status_code


def test_another_versions_file_is_not_served(http):
    """Two versions are never mixed in one page."""
    assert 404 == http.get("/static/0000000000000000/js/me.js").status_code


def test_a_program_gets_the_index_as_json(http):
    """A client that does not prefer HTML is not a browser (RFC 9110 §12.5.1)."""
    for accepted in (
        *("application/json", "*/*", "", "text/plain", "application/json, text/html;q=0.9"),
        *("text/html;q=0, application/json", "text/html;q=0", "text/html;q=0, */*", "text/htmlx"),
        *("TEXT/HTML;Q=0.0, */*", "text/html;q=2", "application/json;q=0.5, text/html;q=0.5"),
    ):
        answer = http.get("/", headers={"accept": accepted})
        assert ("/openapi.json", "Accept") == (answer.json()["openapi"], answer.headers["vary"])


def test_a_browser_gets_the_page(http):
    """However its Accept header is spelled and divided into lines."""
    for accepted in (
        *("text/html", "Text/HTML", "text/*", "text/html, */*", "*/*;q=0.8,text/html"),
        *("application/json;q=0.5, text/html", "text/html;q=0.9"),
    ):
        answer = http.get("/", headers={"accept": accepted})
        assert answer.headers["content-type"].startswith("text/html"), accepted
        assert "Accept" in answer.headers["vary"]
    lines = [("accept", "application/json;q=0.1"), ("accept", "text/html")]
    assert http.get("/", headers=lines).headers["content-type"].startswith("text/html")


def test_pages_are_not_in_the_apis_description(http):
    """They are for people."""
    assert not {"/me", "/verify", "/counter"} & set(http.get("/openapi.json").json()["paths"])
