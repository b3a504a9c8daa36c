"""Reads that the caller has already: 304, as long as it reads the same (RFC 9110 §13.1.2)."""

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


def test_what_the_caller_has_is_not_sent_again(subtests, ask, path):
    """By weak comparison; with what a cache needs, and how recent that is."""
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


def test_anything_else_is_sent(subtests, ask, path):
    """What can't be read is no condition."""
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


def test_lines_are_one_list_and_head_is_as_get(ask, path):
    """RFC 9110 §5.3, §9.3.2."""
    assert 304 == ask(path, '"9"', '"1"').status_code
    assert 304 == ask(path, '"1"', method="HEAD").status_code
    assert 200 == ask(path, '"9"', method="HEAD").status_code


def test_after_an_event_it_is_another(ask, registrar, path):
    """And the old tag matches no more."""
    position = registrar.post(f"{path}/loss-reports").json()["as_of_position"]

    answer = ask(f"{path}?min_position={position}", '"1"')

    assert (200, '"2"') == (answer.status_code, answer.headers["ETag"])


@pytest.mark.parametrize("view", VIEWS)
def test_at_midnight_it_is_another_without_an_event(at, ask, issue, read, view):
    """The year has ended: the same version reads otherwise, so its tag is another one; back in time
    it is the first again."""
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


def test_a_write_takes_the_tag_of_either_reading(at, ask, issue, read, registrar):
    """It is for a version; endorsed late, the permit reads as usual again."""
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
    for path in (number, f"{number}/progress"):
        answer = ask(f"/v1/id-card-applications/{path}", 'W/"1"')
        assert (304, '"1"') == (answer.status_code, answer.headers["ETag"])


def test_any_tag_is_the_answers_tag_where_it_has_one(subtests, ask):
    """`*`: pages have tags; problems, and what is never the same, have none."""
    for path in ["/me", "/stats", "/v1/permits/000000000000", "/healthz"]:
        with subtests.test(path=path):
            expected = 304 if path in {"/me", "/stats"} else ask(path).status_code
            assert expected == ask(path, "*").status_code


def test_a_write_is_no_read(ask, path):
    """POST is not conditional on what the caller has."""
    assert 422 == ask(f"{path}/loss-reports", "*", method="POST").status_code
