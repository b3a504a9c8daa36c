"""No data of an applicant for an identity card, or of a companion, is stored in the clear."""

from tests.privacy.traces import traces_in, traces_of

NAME, NUMBER = "申请甲乙", "990033199103040011"
GUARDIAN, GUARDIAN_NUMBER = "监护丙丁", "990033196503040017"
AGENT, AGENT_NUMBER = "代办戊己", "990033197503040011"
REASON = "申请甲乙之照片与档案不符庚辛"
PERSONAL = (NAME, NUMBER, GUARDIAN, GUARDIAN_NUMBER, AGENT, AGENT_NUMBER, REASON)
PATH = "/v1/id-card-applications"
APPLICATION = {
    "applicant": {
        "name": NAME,
        "sex": "1",
        "ethnicity": "01",
        "birth_date": "1991-03-04",
        "citizen_id_number": NUMBER,
        "hukou_province": "33",
    },
    "materials": ["household_register", "study_proof"],
    "guardian": {"name": GUARDIAN, "citizen_id_number": GUARDIAN_NUMBER},
    "commitment_signed": True,
    "ever_held_id_card": False,
    "collection": {"method": "agent"},
}


def test_an_application_stores_no_personal_data_in_the_clear(service, words, at_rest):
    """Two applicants, one returned and one collected; before and after the erasure."""
    registrar = service.caller("registrar")

    def post(path, body=None, **headers):
        answer = registrar.post(path, body, **headers)
        assert answer.is_success, answer.text
        return answer.json()

    first, second = (post(PATH, APPLICATION, idempotency_key=f"{NUMBER}-{n}") for n in range(2))
    post(f"{PATH}/{first['receipt_number']}/dispatches")
    post(f"{PATH}/{first['receipt_number']}/returns", {"reason": REASON})
    for step in ("dispatches", "approvals", "productions", "arrivals"):
        post(f"{PATH}/{second['receipt_number']}/{step}")
    collection = {
        "by": "agent",
        "receipt_shown": True,
        "signed": True,
        "agent": {"name": AGENT, "citizen_id_number": AGENT_NUMBER},
    }
    post(f"{PATH}/{second['receipt_number']}/collections", collection, idempotency_key=AGENT_NUMBER)
    refused = registrar.post(PATH, {**APPLICATION, "ever_held_id_card": True})
    assert 409 == refused.status_code
    assert service.is_in_step()

    folder = at_rest()
    assert [] != traces_in(folder, first["receipt_number"])  # the search looks there
    assert [] == traces_in(folder, *PERSONAL)
    assert [] == traces_of(words(), *PERSONAL)
    assert [] == traces_of(refused.text, *PERSONAL)

    order = {"legal_basis": "PIPL 47", "case": "c-1"}
    path = f"/v1/audit/holders/{first['holder_id']}/erasures"
    officers = (service.caller("operator"), service.caller("investigator", case="c-1"))
    assert [202, 201] == [officer.post(path, order).status_code for officer in officers]
    assert [] == traces_in(at_rest(), *PERSONAL)
