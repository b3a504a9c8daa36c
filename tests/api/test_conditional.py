"""Conditional reads: 304, as long as the representation is unchanged (RFC 9110 §13.1.2)."""

import pytest

VIEWS = ["", "/physical", "/electronic"]


@pytest.fixture
def ask(registrar, http):
    """``ask(path, "…", by=…)``: with these lines of If-None-Match."""

    def make(path, *lines, by=registrar, method="GET"):
        headers = [*by.headers.items(), *(("If-None-Match", line) for line in lines)]
        return http.request(method, path, headers=headers)

    return make


@pytest.fixture
def path(issue, read):
    permit = issue()
    read(permit)  # by now the views have it
    return f"/v1/permits/{permit['permit_number']}"


def test_a_matching_tag_gets_304(subtests, ask, path):
    """By weak comparison; with the headers that a cache needs, and the age."""
    for view in VIEWS:
        for condition in [
            '"1"',
            'W/"1"',
            "*",
            '"9", "1"',
            'W/"9" , W/"1"',
            '"a,b", "1"',
            "1",
            ',"1"',
        ]:
            with subtests.test(view=view, condition=condition):
                full = ask(path + view)
                answer = ask(path + view, condition)

                assert (304, b"") == (answer.status_code, answer.content)
                for name in ("ETag", "Cache-Control"):
                    assert full.headers[name] == answer.headers[name]
                assert int(full.headers["Ledger-Position"]) <= int(
                    answer.headers["Ledger-Position"]
                )
                assert not {"content-type", "content-length"} & set(answer.headers)


def test_other_tags_get_the_representation(subtests, ask, path):
    """An unreadable header is no condition."""
    for condition in [
        '"2"',
        'W/"2"',
        '"1-use_suspended"',
        '"10"',
        '"01"',
        '""',
        "",
        '"1',
        '"*"',
        '"x",' * 400,
    ]:
        with subtests.test(condition=condition):
            answer = ask(path, condition)
            assert (200, '"1"') == (answer.status_code, answer.headers["ETag"])


def test_several_lines_form_one_list_and_head_behaves_like_get(ask, path):
    """RFC 9110 §5.3, §9.3.2."""
    assert 304 == ask(path, '"9"', '"1"').status_code
    assert 304 == ask(path, '"1"', method="HEAD").status_code
    assert 200 == ask(path, '"9"', method="HEAD").status_code


def test_an_event_changes_the_tag(ask, registrar, path):
    """The old tag no longer matches."""
    position = registrar.post(f"{path}/loss-reports").json()["as_of_position"]

    answer = ask(f"{path}?min_position={position}", '"1"')

    assert (200, '"2"') == (answer.status_code, answer.headers["ETag"])


@pytest.mark.parametrize("view", VIEWS)
def test_the_tag_changes_at_midnight_without_an_event(at, ask, issue, read, view):
    """The year has ended: the same version reads differently, so its tag changes; with the clock
    set back, the first tag returns."""
    at("2026-01-05")
    permit = issue(issued_on="2026-01-05")
    read(permit)
    path = f"/v1/permits/{permit['permit_number']}{view}"
    at("2027-01-04T23:59:50+08:00")
    assert 304 == ask(path, '"1"').status_code

    at("2027-01-05T00:00:00+08:00")
    answer = ask(path, '"1"')
    tag = answer.headers["ETag"]

    assert (200, '"1-use_suspended"') == (answer.status_code, tag)
    assert 304 == ask(path, tag).status_code
    at("2026-06-01")
    assert (200, '"1"') == ((back := ask(path, tag)).status_code, back.headers["ETag"])


def test_a_write_accepts_the_tags_of_both_representations(at, ask, issue, read, registrar):
    """A write is conditional on the version; after a late endorsement, the permit reads as usual
    again."""
    at("2026-01-05")
    permit = issue(issued_on="2026-01-05")
    at("2027-01-06")
    read(permit)
    path = f"/v1/permits/{permit['permit_number']}"
    tag = ask(path).headers["ETag"]

    stale = registrar.post(f"{path}/endorsements", {"card_presented": "card"}, if_match='"2-x"')
    endorsed = registrar.post(f"{path}/endorsements", {"card_presented": "card"}, if_match=tag)

    assert '"1-use_suspended"' == tag
    assert (412, 200, '"2"') == (stale.status_code, endorsed.status_code, endorsed.headers["ETag"])


def test_the_holders_own_permit(ask, holder_of, issue, read):
    """The same tags."""
    permit = issue()
    read(permit)
    assert 304 == ask("/v1/me/permit", '"1"', by=holder_of(permit)).status_code


def test_an_application_and_its_progress(ask, accept):
    """For the counter, and for the progress."""
    number = accept()["receipt_number"]
    for path in (number, f"{number}/progress?birth_date=1990-01-01"):
        answer = ask(f"/v1/id-card-applications/{path}", 'W/"1"')
        assert (304, '"1"') == (answer.status_code, answer.headers["ETag"])


def test_a_star_matches_every_response_with_a_tag(subtests, ask):
    """`*`: pages have tags; problems and responses that always differ have none."""
    for path in ["/me", "/stats", "/v1/permits/000000000000", "/healthz"]:
        with subtests.test(path=path):
            expected = 304 if path in {"/me", "/stats"} else ask(path).status_code
            assert expected == ask(path, "*").status_code


def test_a_post_ignores_if_none_match(ask, path):
    """POST is not conditional on the caller's copy."""
    assert 422 == ask(f"{path}/loss-reports", "*", method="POST").status_code
