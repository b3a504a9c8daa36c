"""Registrars' reads: each is recorded before it is answered, and shown to the holder."""

from datetime import UTC, datetime

import httpx
import pytest

from consumers.analytics.check_source import CheckSource
from tests.api.id_card_fixtures import PATH
from tests.api.orders import ORDER

WHATS = {"": "permit", "/physical": "physical", "/electronic": "electronic"}
NO_INSERT = "REVOKE EXECUTE ON FUNCTION ledger.record_registrar_reads FROM permit_ledger_service"
INSERT = "GRANT EXECUTE ON FUNCTION ledger.record_registrar_reads TO permit_ledger_service"


@pytest.fixture
def recorded(service):
    """``recorded(number)``: the recorded reads of this permit or application, in order."""

    def recorded(number):
        return service.rows(
            "SELECT reader, station, what FROM ledger.registrar_reads WHERE subject = %s"
            " ORDER BY position",
            number,
        )

    return recorded


@pytest.fixture
def officer(caller):
    """A registrar of another district than the permits'."""
    return caller("registrar", station="320281-03")


@pytest.fixture
def permit(issue):
    return issue()


@pytest.fixture
def path(permit):
    return f"/v1/permits/{permit['permit_number']}"


def read_as(what):
    return ("registrar@development", "320281-03", what)


# -- what is recorded ----------------------------------------------------------------------------


@pytest.mark.parametrize("view", WHATS)
def test_every_read_of_a_permit_is_recorded(recorded, officer, permit, path, view):
    """With account and station; the same one again is another read."""
    for _ in "12":
        assert 200 == officer.get(path + view).status_code

    assert [read_as(WHATS[view])] * 2 == recorded(permit["permit_number"])


def test_a_read_of_an_unchanged_permit_is_recorded(recorded, officer, permit, path):
    """304 says as much as 200."""
    tag = officer.get(path).headers["ETag"]
    answer = officer.http.get(path, headers={**officer.headers, "If-None-Match": tag})

    assert 304 == answer.status_code
    assert [read_as("permit")] * 2 == recorded(permit["permit_number"])


def test_a_search_is_recorded_at_what_it_finds(recorded, officer, registrar, application):
    """All permits of the person, the ended ones too; one that finds nothing is not."""
    person = application()
    number = {"citizen_id_number": person["holder"]["citizen_id_number"]}
    ended = registrar.post("/v1/permits", person).json()["permit_number"]
    registrar.post(f"/v1/permits/{ended}/cancellations", {"reason": "renounced"})
    current = registrar.post("/v1/permits", person).json()["permit_number"]
    nobodys = {"citizen_id_number": application()["holder"]["citizen_id_number"]}

    assert 2 == len(officer.post("/v1/permits/searches", number).json()["permits"])
    assert [] == officer.post("/v1/permits/searches", nobodys).json()["permits"]

    assert [read_as("search")] == recorded(ended) == recorded(current)


def test_a_live_stream_is_recorded_when_it_is_opened(recorded, service, officer, permit, path):
    with (
        httpx.Client(base_url=service.url, timeout=30) as own,
        own.stream("GET", f"{path}/live", headers=officer.headers) as answer,
    ):
        assert "event: permit" == next(answer.iter_lines())

    assert [read_as("live")] == recorded(permit["permit_number"])


def test_a_read_of_an_applicants_file_is_recorded(recorded, officer, accept):
    receipt = accept()["receipt_number"]

    assert 200 == officer.get(f"/v1/id-card-applications/{receipt}").status_code

    assert [read_as("application")] == recorded(receipt)


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("loss-lifts", {}, 409),
        ("reissues", {}, 409),
        ("endorsements", {"card_presented": "reissue_receipt"}, 409),
        ("identity-corrections", {"hukou_address": "安徽省合肥市蜀山区示例路1号"}, 200),
        ("identity-corrections", {"birth_date": "1991-02-03"}, 422),
        ("address-changes", {"residence": None, "moved_on": "2026-01-05"}, 200),
    ],
)
def test_a_command_that_changes_nothing_is_recorded_as_a_read(
    recorded, officer, permit, path, application, what, body, status
):
    """It shows the permit, or tests a guess; one that changes something has its event."""
    body = body | ({"residence": application()["residence"]} if "residence" in body else {})

    assert status == officer.post(f"{path}/{what}", body).status_code

    assert [read_as("attempt")] == recorded(permit["permit_number"])


def test_a_command_is_recorded_by_its_event_alone(recorded, officer, permit, path):
    """A retry shows the permit again, and is recorded."""

    def report():
        answer = officer.post(f"{path}/loss-reports", {}, idempotency_key=f"loss {path}")
        assert 200 == answer.status_code
        return recorded(permit["permit_number"])

    assert [] == report()
    assert [read_as("attempt")] == report()


def test_a_guess_at_the_version_is_recorded(recorded, officer, permit, path):
    """412 says that the permit has changed, or has not."""
    for version in ('"7"', '"8"'):
        assert 412 == officer.post(f"{path}/loss-reports", {}, if_match=version).status_code

    assert [read_as("attempt")] * 2 == recorded(permit["permit_number"])


def test_a_guess_at_a_number_is_recorded(recorded, officer, permit, path):
    """That its absence can't be proved says that there is such a permit."""
    assert 409 == officer.get(f"{path}/absence").status_code

    assert [read_as("attempt")] == recorded(permit["permit_number"])


def test_an_attempt_to_issue_a_second_permit_is_recorded_at_the_first(
    recorded, officer, registrar, application
):
    """The refusal says that the person has one; it does not say which."""
    person = application()
    number = registrar.post("/v1/permits", person).json()["permit_number"]

    answer = officer.post("/v1/permits", person)

    assert (409, "ALREADY_HOLDS_PERMIT") == (answer.status_code, answer.json()["code"])
    assert number not in answer.text
    assert [read_as("attempt")] == recorded(number)


def test_a_correction_to_anothers_number_is_recorded_at_both(
    recorded, officer, registrar, permit, path, application
):
    """The refusal says that there is another one."""
    person = application()
    other = registrar.post("/v1/permits", person).json()["permit_number"]
    number = {"citizen_id_number": person["holder"]["citizen_id_number"]}

    answer = officer.post(f"{path}/identity-corrections", number)

    assert (409, "ALREADY_HOLDS_PERMIT") == (answer.status_code, answer.json()["code"])
    assert [read_as("attempt")] == recorded(permit["permit_number"]) == recorded(other)


def test_a_refusal_that_tells_of_another_person_is_recorded_there(
    subtests, recorded, officer, registrar, investigator, application, path, brought
):
    """At all records of that person, for the restricted one and for one whose permit has ended."""
    restricted, former = application(), application()
    numbers = {}
    for person in (restricted, former):
        ended = registrar.post("/v1/permits", person).json()
        registrar.post(
            f"/v1/permits/{ended['permit_number']}/cancellations", {"reason": "renounced"}
        )
        numbers[person["holder"]["citizen_id_number"]] = ended["permit_number"]
        if person is restricted:
            holder = f"/v1/audit/holders/{ended['holder_id']}"
            assert 200 == investigator.post(f"{holder}/restrictions", ORDER).status_code
    applicant = brought()
    applied = registrar.post(PATH, applicant).json()
    holder = f"/v1/audit/holders/{applied['holder_id']}"
    assert 200 == investigator.post(f"{holder}/restrictions", ORDER).status_code
    numbers[applicant["applicant"]["citizen_id_number"]] = applied["receipt_number"]
    corrections = f"{path}/identity-corrections"
    for to, body, about, code in (
        ("/v1/permits", restricted, restricted["holder"], "HOLDER_RESTRICTED"),
        (corrections, restricted["holder"], restricted["holder"], "HOLDER_RESTRICTED"),
        (corrections, former["holder"], former["holder"], "NUMBER_ON_RECORD"),
        (PATH, applicant, applicant["applicant"], "HOLDER_RESTRICTED"),
    ):
        with subtests.test(to=to, code=code):
            number = about["citizen_id_number"]
            before = recorded(numbers[number])

            only_the_number = {"citizen_id_number": number}
            answer = officer.post(to, only_the_number if to == corrections else body)

            assert (409, code) == (answer.status_code, answer.json()["code"])
            assert numbers[number] not in answer.text
            assert [*before, read_as("attempt")] == recorded(numbers[number])


def test_a_refusal_that_could_not_be_recorded_is_recorded_when_it_is_sent_again(
    service, recorded, officer, registrar, application
):
    """It is kept for a retry, although its first record failed."""
    person = application()
    number = registrar.post("/v1/permits", person).json()["permit_number"]
    service.execute(NO_INSERT)
    try:
        first = officer.post("/v1/permits", person, idempotency_key=f"again {number}")
    finally:
        service.execute(INSERT)

    again = officer.post("/v1/permits", person, idempotency_key=f"again {number}")

    assert (503, 409) == (first.status_code, again.status_code)
    assert "true" == again.headers["Idempotency-Replayed"]
    assert (number not in again.text, "_about" not in again.text) == (True, True)
    assert [read_as("attempt")] == recorded(number)


def test_what_discloses_nothing_is_not_recorded(recorded, officer, holder_of, permit, path):
    """A refused request, an unknown permit, the work list; and the holder's own reads."""
    position = permit["as_of_position"]
    assert 422 == officer.get(path, unknown=1).status_code
    assert 503 == officer.get(path, min_position=position + 10_000_000).status_code
    assert 200 == officer.get("/v1/id-card-applications").status_code
    assert 200 == holder_of(permit).get(f"{path}/physical").status_code

    assert [] == recorded(permit["permit_number"])


# -- fail closed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("view", [*WHATS, "/live"])
def test_a_read_that_cannot_be_recorded_is_not_answered(service, officer, permit, path, view):
    """503, without anything of the permit; afterwards reads are answered again."""
    service.execute(NO_INSERT)
    try:
        answer = officer.get(path + view)
    finally:
        service.execute(INSERT)

    assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])
    assert "Retry-After" in answer.headers
    assert permit["holder_id"] not in answer.text
    assert 200 == officer.get(path).status_code


def test_a_search_that_cannot_be_recorded_is_not_answered(service, officer, registrar, application):
    person = application()
    number = {"citizen_id_number": person["holder"]["citizen_id_number"]}
    registrar.post("/v1/permits", person)

    service.execute(NO_INSERT)
    try:
        answer = officer.post("/v1/permits/searches", number)
    finally:
        service.execute(INSERT)

    assert 503 == answer.status_code
    assert 1 == len(officer.post("/v1/permits/searches", number).json()["permits"])


def test_a_stream_that_cannot_be_recorded_takes_no_place(service, signed, permit, path):
    """A caller may have eight streams; a failed one is not among them."""
    curious = signed(sub="officer-of-streams", station="320281-03")
    service.execute(NO_INSERT)
    try:
        assert {503} == {curious.get(f"{path}/live").status_code for _ in range(10)}
    finally:
        service.execute(INSERT)

    with (
        httpx.Client(base_url=service.url, timeout=30) as own,
        own.stream("GET", f"{path}/live", headers=curious.headers) as answer,
    ):
        assert 200 == answer.status_code


# -- who sees them -------------------------------------------------------------------------------


def test_the_holder_sees_who_read_the_own_permit(officer, holder_of, permit, path):
    """The newest first, in pages; nobody else's."""
    for view in WHATS:
        officer.get(path + view)
    holder = holder_of(permit)

    first = holder.get("/v1/me/reads", limit=2)
    second = holder.get("/v1/me/reads", limit=2, before=first.json()["next_before"]).json()

    seen = [*first.json()["reads"], *second["reads"]]
    assert ["electronic", "physical", "permit"] == [one["what"] for one in seen]
    assert {("registrar@development", "320281-03", permit["permit_number"])} == {
        (one["reader"], one["station"], one["subject"]) for one in seen
    }
    assert 'rel="next"' in first.headers["Link"]
    assert second["next_before"] is None


def test_a_record_that_cannot_be_read_hides_no_other(
    service, officer, holder_of, investigator, supervisor, permit, path
):
    """It is named by its position, in the holder's list and in both of the audit."""
    officer.get(path)
    number = permit["permit_number"]
    [[odd], [other]] = service.rows(
        "INSERT INTO ledger.registrar_reads"
        " (read_id, subject, read_at, reader, station, what, correlation_id)"
        " SELECT gen_random_uuid(), %s, at, 'r', 's', what, 'c'"
        " FROM unnest('{infinity,now}'::timestamptz[], '{permit,gossip}'::text[]) AS own (at, what)"
        " RETURNING position",
        number,
    )
    [[early], [undecided]] = service.rows(
        "WITH head AS (UPDATE ledger.audit_reads_head"
        " SET entry = entry + 2 RETURNING entry - 2 AS last)"
        " INSERT INTO ledger.audit_reads"
        " (read_id, read_at, reader, what, subject, parameters, outcome, correlation_id, entry)"
        " SELECT gen_random_uuid(), at, 'r', 'w', %s, '{\"a\": [1]}', outcome, 'c', last + n"
        " FROM head, unnest('{-infinity,now}'::timestamptz[], '{answered,forged}'::text[])"
        " WITH ORDINALITY AS own (at, outcome, n) RETURNING position",
        number,
    )

    own = holder_of(permit).get("/v1/me/reads").json()
    audited = investigator.get(f"/v1/audit{path.removeprefix('/v1')}/registrar-reads").json()
    looks = supervisor.get("/v1/audit/reads", subject=number).json()

    for answer in (own, audited):
        assert (1, [other, odd]) == (len(answer["reads"]), answer["unreadable"])
    assert ["registrar_reads"] == [one["what"] for one in looks["reads"]]
    assert [undecided, early] == looks["unreadable"]
    counted = CheckSource(service.database_url).officer_reads(datetime(2026, 1, 1, tzinfo=UTC))
    assert ("r", 1) in {(one["actor"], one["reads"]) for one in counted}


def test_a_holder_sees_no_reads_of_others(officer, holder_of, issue, permit, path):
    officer.get(path)

    assert [] == holder_of(issue()).get("/v1/me/reads").json()["reads"]
    assert 403 == officer.get("/v1/me/reads").status_code


def test_an_applicant_sees_who_read_the_file(officer, caller, accept):
    application = accept()
    officer.get(f"/v1/id-card-applications/{application['receipt_number']}")

    seen = caller("holder", holder_id=application["holder_id"]).get("/v1/me/reads").json()

    assert ["application"] == [one["what"] for one in seen["reads"]]


def test_the_audit_sees_them(officer, investigator, permit, path, accept):
    """Of a permit and of an application."""
    officer.get(f"{path}/physical")
    receipt = accept()["receipt_number"]
    officer.get(f"/v1/id-card-applications/{receipt}")

    for asked, what in (
        (f"/v1/audit/permits/{permit['permit_number']}/registrar-reads", "physical"),
        (f"/v1/audit/id-card-applications/{receipt}/registrar-reads", "application"),
    ):
        [read] = investigator.get(asked).json()["reads"]
        assert (what, "320281-03") == (read["what"], read["station"])


def test_reads_stay_on_record_after_an_erasure(officer, investigator, erase, permit, path):
    """They are about the officer."""
    officer.get(f"{path}/physical")
    erase(permit)

    asked = f"/v1/audit/permits/{permit['permit_number']}/registrar-reads"
    assert ["physical"] == [one["what"] for one in investigator.get(asked).json()["reads"]]


# -- stations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("station", ["999999-99", "320211", "320211-99", None])
def test_a_registrar_of_an_unknown_station_is_refused(signed, permit, path, accept, station):
    """Reads and writes, of permits and applications; nothing is done."""
    stranger = signed(scope="permits:write applications:write", station=station)
    receipt = f"/v1/id-card-applications/{accept()['receipt_number']}"

    answers = [
        *(stranger.get(path + view) for view in (*WHATS, "/live")),
        stranger.post("/v1/permits/searches", {"citizen_id_number": "990000199001010017"}),
        stranger.post(f"{path}/cancellations", {"reason": "deceased"}),
        stranger.post(f"{path}/loss-reports", {}),
        stranger.get(receipt),
        stranger.get("/v1/id-card-applications"),
        stranger.get("/v1/id-card-applications/counts"),
        stranger.get("/v1/stats/staff"),
        stranger.post(f"{receipt}/withdrawals", {}),
    ]

    assert {(403, "FORBIDDEN")} == {(one.status_code, one.json()["code"]) for one in answers}
    assert all("station" in one.json()["detail"] for one in answers)


@pytest.mark.parametrize(
    ("what", "body"),
    [("cancellations", {"reason": "deceased"}), ("voidings", {"finding": "伪造材料"})],
)
def test_a_permit_is_ended_without_a_visit_in_its_own_district_only(
    recorded, officer, registrar, permit, path, what, body
):
    """Another district's station is refused, and the attempt is on record."""
    answer = officer.post(f"{path}/{what}", body)

    assert (409, "OTHER_DISTRICT") == (answer.status_code, answer.json()["code"])
    assert [read_as("attempt")] == recorded(permit["permit_number"])
    assert 200 == registrar.post(f"{path}/{what}", body).status_code
