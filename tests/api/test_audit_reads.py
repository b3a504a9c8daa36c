"""Audit reads: each is recorded before it is answered, refused ones too."""

import random

import pytest

from domain import permit_number

WHATS = ["events", "state", "timeline", "checks"]
READS = "/v1/audit/reads"
NOBODYS = permit_number.draw(random.Random(7).getrandbits)  # noqa: S311  chance, not secrecy


@pytest.fixture
def recorded(service):
    """``recorded(number)``: the recorded reads of this permit, in order."""

    def recorded(number):
        return service.rows(
            "SELECT reader, case_number, what, outcome, parameters FROM ledger.audit_reads"
            " WHERE subject = %s ORDER BY position",
            number,
        )

    return recorded


@pytest.fixture
def number(issue):
    return issue()["permit_number"]


def path(number, what):
    return f"/v1/audit/permits/{number}/{what}"


@pytest.mark.parametrize("what", WHATS)
def test_a_read_is_recorded(recorded, investigator, number, what):
    """With the reader, the case and the permit."""
    assert 200 == investigator.get(path(number, what)).status_code

    assert [("investigator@development", "2026-DP-17", what, "answered", {})] == recorded(number)


def test_a_read_is_recorded_with_its_parameters(recorded, investigator, number):
    """Instants and numbers; free text and unknown parameters are not recorded."""
    instants = {"at": "2099-01-05T09:00:00.1234567+08:00", "known_at": "2099-01-05T01:00:00Z"}
    investigator.get(path(number, "state"), **instants)
    investigator.get(path(number, "state"), at="欧阳测试", name="欧阳测试")
    investigator.get(path(number, "state"), at="欧阳测试")
    investigator.get(path(number, "events"), limit="990000199001010017")
    investigator.get(path(number, "checks"), limit=7, before=12)

    assert [
        ("answered", instants),
        ("invalid", {"at": "[not kept]"}),
        ("invalid", {"at": "[not kept]"}),
        ("invalid", {"limit": "[not kept]"}),
        ("answered", {"limit": "7", "before": "12"}),
    ] == [(outcome, parameters) for *_, outcome, parameters in recorded(number)]


@pytest.mark.parametrize("what", WHATS)
def test_a_read_without_a_case_is_refused_and_recorded(recorded, signed, number, what):
    """403; the account is known."""
    nobodys = signed(sub="officer-7", scope="audit:read")

    answer = nobodys.get(path(number, what))

    assert (403, "FORBIDDEN") == (answer.status_code, answer.json()["code"])
    assert [("officer-7", None, what, "refused", {})] == recorded(number)


@pytest.mark.parametrize("role", ["registrar", "verifier", "operator"])
def test_a_read_with_the_wrong_scope_is_recorded(recorded, caller, number, role):
    """Refused reads are recorded too."""
    assert 403 == caller(role).get(path(number, "events")).status_code

    assert [(f"{role}@development", None, "events", "refused")] == [
        row[:4] for row in recorded(number)
    ]


def test_a_read_with_an_invalid_token_is_not_recorded(recorded, signed, http, number):
    """401; an unverified name is not stored."""
    assert (
        401
        == signed(sub="officer-7", scope="audit:read", exp=1)
        .get(path(number, "events"))
        .status_code
    )
    assert 401 == http.get(path(number, "events")).status_code

    assert [] == recorded(number)


def test_a_read_of_an_unknown_permit_is_recorded(recorded, investigator):
    """With the number if it has the form of one; a citizen ID number in its place is not kept."""
    before = len(recorded(NOBODYS))
    assert 404 == investigator.get(path(NOBODYS, "events")).status_code
    assert 404 == investigator.get(path("990000199001010017", "events")).status_code

    assert ["unknown"] == [row[3] for row in recorded(NOBODYS)[before:]]
    newest = investigator.get(READS, limit=1).json()["reads"][0]
    assert ("events", None, "unknown") == (newest["what"], newest["subject"], newest["outcome"])


@pytest.mark.parametrize("what", [*WHATS, None])
def test_a_read_that_cannot_be_recorded_is_not_answered(service, investigator, number, what):
    """503, without anything of the permit."""
    service.execute("REVOKE EXECUTE ON FUNCTION ledger.record_read FROM permit_ledger_service")
    try:
        answer = investigator.get(path(number, what) if what else READS)
    finally:
        service.execute("GRANT EXECUTE ON FUNCTION ledger.record_read TO permit_ledger_service")

    assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])
    assert "Retry-After" in answer.headers
    assert number not in answer.text


def test_a_refusal_that_cannot_be_recorded_is_not_answered(service, registrar, number):
    """The response does not reveal the outcome."""
    service.execute("REVOKE EXECUTE ON FUNCTION ledger.record_read FROM permit_ledger_service")
    try:
        answer = registrar.get(path(number, "events"))
    finally:
        service.execute("GRANT EXECUTE ON FUNCTION ledger.record_read TO permit_ledger_service")

    assert 503 == answer.status_code


def test_audit_reads_are_listed_newest_first(investigator, supervisor, signed, number):
    """All, or those of one permit, in pages; listing them is an audit read as well."""
    investigator.get(path(number, "state"))
    signed(sub="officer-7", scope="verify").get(path(number, "checks"))
    investigator.get(READS, subject=number)

    first = supervisor.get(READS, subject=number, limit=2).json()
    second = supervisor.get(READS, subject=number, limit=2, before=first["next_before"]).json()

    assert [
        ("reads", "investigator@development", "2026-DP-17", "answered"),
        ("checks", "officer-7", None, "refused"),
    ] == [(one["what"], one["reader"], one["case"], one["outcome"]) for one in first["reads"]]
    assert ["state"] == [one["what"] for one in second["reads"]]
    assert second["next_before"] is None
    [newest] = supervisor.get(READS, limit=1).json()["reads"]
    assert ("reads", number) == (newest["what"], newest["subject"])


# -- a look that is hidden at another subject ----------------------------------------------------


@pytest.fixture
def newest(service):
    """``newest(2)``: the subject, kind and outcome of the last reads on record."""

    def newest(n):
        rows = service.rows(
            "SELECT subject, what, outcome FROM ledger.audit_reads ORDER BY position DESC LIMIT %s",
            n,
        )
        return rows[::-1]

    return newest


@pytest.fixture
def receipt(accept):
    return accept()["receipt_number"]


@pytest.mark.parametrize("what", ["events", "evidence"])
def test_a_read_of_an_application_is_not_recorded_at_a_permit_in_the_query(
    investigator, newest, receipt, number, what
):
    """Refused, and on record where it was tried."""
    asked = f"/v1/audit/id-card-applications/{receipt}/{what}"

    answer = investigator.get(asked, permit_number=number)

    name = "application_" + what
    assert 422 == answer.status_code
    assert [(receipt, name, "invalid")] == newest(1)
    assert 200 == investigator.get(asked).status_code
    assert [(receipt, name, "answered")] == newest(1)


@pytest.mark.parametrize("parameter", ["subject", "receipt_number", "permit_number"])
def test_a_read_of_a_permit_is_not_recorded_at_another(
    investigator, newest, issue, number, parameter
):
    other = issue()["permit_number"]

    answer = investigator.get(path(number, "events"), **{parameter: other})

    assert 422 == answer.status_code
    assert [(number, "events", "invalid")] == newest(1)


@pytest.mark.parametrize("parameter", ["receipt_number", "permit_number"])
def test_a_list_of_all_reads_is_not_recorded_at_a_permit(supervisor, newest, number, parameter):
    """Only the filter that was applied says what was listed; a refused one lists nothing."""
    assert 422 == supervisor.get(READS, **{parameter: number}).status_code
    assert 422 == supervisor.get(READS, subject=[number, NOBODYS]).status_code
    assert 422 == supervisor.get(READS, subject=number, limit=0).status_code
    assert 200 == supervisor.get(READS, limit=1).status_code
    assert 200 == supervisor.get(READS, subject=number.lower(), limit=1).status_code

    outcomes = ["invalid", "invalid", "invalid", "answered"]
    listed = [(None, "reads", outcome) for outcome in outcomes]
    assert [*listed, (number, "reads", "answered")] == newest(5)


# -- whose reads an investigator sees ------------------------------------------------------------


def test_an_investigator_sees_the_reads_of_the_own_case_only(caller, signed, supervisor, number):
    """A supervisor sees those of all cases, and refused ones that named none."""
    one, other = (caller("investigator", case=case) for case in ("2026-J-1", "2026-J-2"))
    for each in (one, other, signed(sub="officer-7", scope="audit:read")):
        each.get(path(number, "state"))

    def cases(by, **query):
        return {read["case"] for read in by.get(READS, subject=number, **query).json()["reads"]}

    assert {"2026-J-1"} == cases(one)
    assert {"2026-J-2"} == cases(other)
    assert {"2026-J-1", "2026-J-2", None} <= cases(supervisor)
    everything = one.get(READS, limit=200).json()["reads"]
    assert {"2026-J-1"} == {read["case"] for read in everything}


def test_the_scope_of_a_supervisor_alone_opens_nothing(signed):
    """It widens the list of those who may read the audit."""
    assert 403 == signed(scope="audit:supervise", case="C").get(READS).status_code


def test_a_case_that_the_caller_states_opens_no_other_reads(caller, signed, service, number):
    """Of the case in the header a caller sees the own reads; only a case in the token is a right.
    What reads as a citizen ID number is not recorded as one."""
    owner = caller("investigator", case="2026-J-9")
    stranger = signed(sub="officer-9", scope="audit:read")

    def reads(by, **headers):
        answer = by.http.get(READS, params={"limit": 200}, headers={**by.headers, **headers})
        assert answer.status_code == 200, answer.text
        return {(read["reader"], read["case"]) for read in answer.json()["reads"]}

    owner.get(path(number, "state"))
    stated = {"Audit-Case": "2026-J-9"}
    assert set() == reads(stranger, **stated)
    assert {("officer-9", "2026-J-9")} == reads(stranger, **stated)
    assert ("investigator@development", "2026-J-9") in reads(owner)

    headers = {**stranger.headers, "Audit-Case": "990000199001010017"}
    assert 403 == stranger.http.get(READS, headers=headers).status_code
    cases = "SELECT DISTINCT case_number FROM ledger.audit_reads WHERE reader = 'officer-9'"
    assert {("2026-J-9",), (None,)} == set(service.rows(cases))
