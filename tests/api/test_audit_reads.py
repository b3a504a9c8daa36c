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
    investigator.get(path(number, "events"), limit="990000199001010017")
    investigator.get(path(number, "checks"), limit=7, before=12)

    assert [
        ("answered", instants),
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
    service.execute("REVOKE INSERT ON ledger.audit_reads FROM permit_ledger_service")
    try:
        answer = investigator.get(path(number, what) if what else READS)
    finally:
        service.execute("GRANT INSERT ON ledger.audit_reads TO permit_ledger_service")

    assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])
    assert "Retry-After" in answer.headers
    assert number not in answer.text


def test_a_refusal_that_cannot_be_recorded_is_not_answered(service, registrar, number):
    """The response does not reveal the outcome."""
    service.execute("REVOKE INSERT ON ledger.audit_reads FROM permit_ledger_service")
    try:
        answer = registrar.get(path(number, "events"))
    finally:
        service.execute("GRANT INSERT ON ledger.audit_reads TO permit_ledger_service")

    assert 503 == answer.status_code


def test_audit_reads_are_listed_newest_first(investigator, signed, number):
    """All, or those of one permit, in pages; listing them is an audit read as well."""
    investigator.get(path(number, "state"))
    signed(sub="officer-7", scope="verify").get(path(number, "checks"))
    investigator.get(READS, subject=number)

    first = investigator.get(READS, subject=number, limit=2).json()
    second = investigator.get(READS, subject=number, limit=2, before=first["next_before"]).json()

    assert [
        ("reads", "investigator@development", "2026-DP-17", "answered"),
        ("checks", "officer-7", None, "refused"),
    ] == [(one["what"], one["reader"], one["case"], one["outcome"]) for one in first["reads"]]
    assert ["state"] == [one["what"] for one in second["reads"]]
    assert second["next_before"] is None
    [newest] = investigator.get(READS, limit=1).json()["reads"]
    assert ("reads", number) == (newest["what"], newest["subject"])
