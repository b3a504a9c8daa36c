"""Idempotency-Key: a retry gets the first response, and nothing happens twice."""

import json
from uuid import uuid4

import pytest

from tests.api.phones import Phone, claim


@pytest.fixture
def key():
    return str(uuid4())


@pytest.fixture
def head(service):
    """``head()``: the log's last position."""
    return lambda: service.rows("SELECT position FROM ledger.head")[0][0]


def test_the_same_request_gets_the_same_bytes(registrar, application, key, head):
    """Status, body, position and version of the first answer; nothing is appended."""
    body = application()
    first = registrar.post("/v1/permits", body, idempotency_key=key)
    position = head()

    again = registrar.post("/v1/permits", body, idempotency_key=key)

    assert (201, first.content) == (again.status_code, again.content)
    assert "Idempotency-Replayed" not in first.headers
    assert "true" == again.headers["Idempotency-Replayed"]
    for name in ("Ledger-Position", "ETag", "Content-Type"):
        assert first.headers[name] == again.headers[name]
    assert position == head()


def test_the_text_of_a_key_is_not_stored(service, registrar, application):
    """Only its keyed digest; the retry still gets the response."""
    body, key = application(), f"issue-990000199001010017-{uuid4()}"
    answers = [registrar.post("/v1/permits", body, idempotency_key=key) for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert "true" == answers[1].headers["Idempotency-Replayed"]
    kept = [key for (key,) in service.rows("SELECT key FROM ledger.answers")]
    assert kept
    assert {64} == {len(bytes.fromhex(key)) * 2 for key in kept}


def test_a_retry_gets_the_response_of_that_time(registrar, act, issue, key):
    """Whatever has happened to the permit since."""
    number = issue()["permit_number"]
    path = f"/v1/permits/{number}/loss-reports"
    first = registrar.post(path, idempotency_key=key)
    act(number, "reissues")

    again = registrar.post(path, idempotency_key=key)

    assert first.content == again.content
    assert "reported_lost" == again.json()["physical"]["status"]


def test_the_response_of_a_command_without_an_event_is_stored_too(registrar, act, issue, key):
    """A second report of the same loss appends nothing and has the position of the first."""
    number = issue()["permit_number"]
    path = f"/v1/permits/{number}/loss-reports"
    reported = act(number, "loss-reports")

    first = registrar.post(path, idempotency_key=key)
    again = registrar.post(path, idempotency_key=key)

    assert reported == first.json() == again.json()
    assert "true" == again.headers["Idempotency-Replayed"]


def test_a_refusal_is_returned_again(registrar, act, issue, key):
    """Even if the same request would be accepted by now."""
    number = issue()["permit_number"]
    path = f"/v1/permits/{number}/reissues"
    first = registrar.post(path, idempotency_key=key)
    act(number, "loss-reports")

    again = registrar.post(path, idempotency_key=key)

    assert (409, "NOT_REPORTED_LOST") == (again.status_code, again.json()["code"])
    assert first.content == again.content
    assert "true" == again.headers["Idempotency-Replayed"]
    assert 200 == registrar.post(path).status_code


def test_the_response_to_invalid_input_is_not_stored(registrar, application, key):
    """The corrected request may use the same key."""
    bad = application(ground=["employment"])
    assert 422 == registrar.post("/v1/permits", bad, idempotency_key=key).status_code

    answer = registrar.post("/v1/permits", {**bad, "ground": "employment"}, idempotency_key=key)

    assert 201 == answer.status_code


def test_a_conflict_is_not_stored(registrar, issue, key):
    """After reading again, the same key may be used with the new version."""
    path = f"/v1/permits/{issue()['permit_number']}/loss-reports"
    assert 412 == registrar.post(path, if_match='"9"', idempotency_key=key).status_code

    assert 200 == registrar.post(path, if_match='"1"', idempotency_key=key).status_code


def test_a_retry_with_the_first_if_match_gets_the_response(registrar, issue, key):
    """The version has changed meanwhile, through the very request that is retried."""
    path = f"/v1/permits/{issue()['permit_number']}/loss-reports"
    first = registrar.post(path, if_match='"1"', idempotency_key=key)

    again = registrar.post(path, if_match='"1"', idempotency_key=key)

    assert (200, first.content) == (again.status_code, again.content)


def test_another_body_under_the_same_key_is_refused(registrar, application, key, head):
    """422 IDEMPOTENCY_KEY_REUSED, and nothing is appended."""
    registrar.post("/v1/permits", application(), idempotency_key=key)
    position = head()

    answer = registrar.post("/v1/permits", application(), idempotency_key=key)

    assert (422, "IDEMPOTENCY_KEY_REUSED") == (answer.status_code, answer.json()["code"])
    assert position == head()


def test_another_path_under_the_same_key_is_refused(registrar, issue, key):
    """Another permit, or another command on the same one."""
    number, other = issue()["permit_number"], issue()["permit_number"]
    registrar.post(f"/v1/permits/{number}/loss-reports", idempotency_key=key)

    for path in (f"/v1/permits/{other}/loss-reports", f"/v1/permits/{number}/reissues"):
        answer = registrar.post(path, idempotency_key=key)
        assert (422, "IDEMPOTENCY_KEY_REUSED") == (answer.status_code, answer.json()["code"])


def test_spaces_and_the_order_of_members_are_ignored(http, registrar, application, key):
    """Escapes too: the JSON values are compared."""
    body = application()
    first = registrar.post("/v1/permits", body, idempotency_key=key)
    turned = {name: body[name] for name in reversed(body)}
    headers = {**registrar.headers, "Idempotency-Key": key, "Content-Type": "application/json"}

    for text in (json.dumps(turned, indent=4, ensure_ascii=True), json.dumps(body)):
        again = http.post("/v1/permits", content=text, headers=headers)
        assert (201, first.content) == (again.status_code, again.content)


def test_the_key_of_another_caller_is_another_key(signed, application, key):
    """Two officers with the same key get a response each."""
    first = signed(sub="officer-1").post("/v1/permits", application(), idempotency_key=key)
    second = signed(sub="officer-2").post("/v1/permits", application(), idempotency_key=key)

    assert (201, 201) == (first.status_code, second.status_code)
    assert first.json()["permit_number"] != second.json()["permit_number"]
    assert "Idempotency-Replayed" not in second.headers


def test_a_claim_is_executed_once(issue, holder_of, key):
    """The holder's commands accept a key as the registrar's do."""
    permit = issue()
    phone = Phone(holder_of(permit), permit)

    first, again = (
        claim(phone.holder, phone.number, phone.key, idempotency_key=key) for _ in range(2)
    )

    assert (201, first.content) == (again.status_code, again.content)
    assert "true" == again.headers["Idempotency-Replayed"]


@pytest.mark.parametrize("rest", ["", "k" * 96, " with spaces; and, signs: {}", "\u00fc" * 64])
def test_any_string_up_to_128_characters_is_a_key(registrar, application, rest):
    """Of two spellings of a request, the second gets the response of the first."""
    body, key = application(), f"{uuid4().hex}{rest}".encode("latin-1")

    answers = [registrar.post("/v1/permits", body, idempotency_key=key) for _ in range(2)]

    assert [201, 201] == [answer.status_code for answer in answers]
    assert "true" == answers[1].headers["Idempotency-Replayed"]


@pytest.mark.parametrize("key", ["", "k" * 129, "k" * 4000])
def test_an_invalid_key_is_refused(registrar, application, key):
    """Empty or longer than 128 characters; it is not repeated."""
    answer = registrar.post("/v1/permits", application(), idempotency_key=key)

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
    assert "kkkk" not in answer.text
