"""POST …/restrictions and …/restriction-lifts: personal data is kept, and neither shown nor
used."""

import pytest

from tests.api.orders import ORDER, PERSONAL, TRACKS, orders, shown
from tests.api.phones import claim

WITHOUT_PORTRAIT = {field for field in PERSONAL if field != "portrait"} | {"address"}
COMMANDS = {
    "endorsements": {"card_presented": "card"},
    "loss-reports": {},
    "loss-lifts": {},
    "reissues": {},
    "replacements": {"reason": "damaged", "old_card_returned": True},
    "card-deliveries": {},
    "address-changes": {
        "residence": {"division": "320213", "address": "梁溪区示例路2号"},
        "moved_on": "2026-05-20",
    },
    "identity-corrections": {"name": "欧阳更正"},
    "cancellations": {"reason": "deceased"},
    "voidings": {"finding": "forged lease"},
}


@pytest.fixture
def permit(at, issue, holder_of):
    """In force on both tracks."""
    at("2026-06-01")
    issued = issue(issued_on="2026-01-05")
    return claim(holder_of(issued), issued["permit_number"]).json()


@pytest.fixture
def order(investigator):
    """``order(permit, "restrictions")``: the permit, with the position of the response."""

    def order(permit, what):
        answer = investigator.post(orders(permit, what), ORDER)
        assert answer.status_code == 200, answer.text
        return {**permit, "as_of_position": answer.json()["as_of_position"]}

    return order


@pytest.fixture
def restricted(order, permit):
    return order(permit, "restrictions")


def test_a_restriction_lists_what_it_covers(investigator, permit):
    """The holder, every permit, and its position in the log."""
    answer = investigator.post(orders(permit, "restrictions"), ORDER)

    assert {
        "holder_id": permit["holder_id"],
        "permit_numbers": [permit["permit_number"]],
        "personal_data": "restricted",
        "as_of_position": permit["as_of_position"] + 1,
    } == answer.json()
    assert str(permit["as_of_position"] + 1) == answer.headers["Ledger-Position"]


def test_an_answer_without_an_event_of_its_own_is_a_look(service, investigator, registrar, permit):
    """A restriction that is there already, a lifting of none, a guess at the version, a holder who
    is unknown, and a caller without the right; not the restriction itself."""
    path = orders(permit, "restrictions")
    unknown = f"/v1/audit/holders/{'0' * 32}/restrictions"
    answers = [
        investigator.post(orders(permit, "restriction-lifts"), ORDER),
        investigator.post(path, ORDER, if_match='"7"'),
        investigator.post(path, ORDER),
        investigator.post(path, ORDER),
        registrar.post(path, ORDER),
        investigator.post(unknown, ORDER),
    ]

    assert [409, 412, 200, 200, 403, 404] == [answer.status_code for answer in answers]
    looks = service.rows(
        "SELECT what, case_number, outcome FROM ledger.audit_reads"
        " WHERE parameters ->> 'holder_id' IN (%s, repeat('0', 32)) ORDER BY position",
        permit["holder_id"],
    )
    assert [
        ("lift_restriction", "2026-DP-17", "refused"),
        ("restrict", "2026-DP-17", "refused"),
        ("restrict", "2026-DP-17", "answered"),
        ("restrict", None, "refused"),
        ("restrict", "2026-DP-17", "unknown"),
    ] == looks


def test_the_event_names_the_legal_basis_and_the_officer(service, restricted):
    """In the clear: the law, the case, the officer; and no personal data."""
    event = service.event(restricted["as_of_position"])

    assert (ORDER["legal_basis"], ORDER["case"], "investigator@development") == (
        event["legal_basis"],
        event["case"],
        event["actor"],
    )


def test_a_card_that_was_effective_is_undetermined(check, order, permit):
    """The check discloses neither the outcome nor a reason."""
    assert "effective" == check(permit["permit_number"])["outcome"]
    order(permit, "restrictions")

    found = check(permit["permit_number"], 1, "law_enforcement")

    assert ("not_effective", "undetermined", {}) == (
        found["outcome"],
        found["reason"],
        found["permit"],
    )


def test_neither_track_is_effective(read, restricted):
    """The permit's own status is unchanged: it has not ended."""
    seen = read(restricted)

    assert ("in_force", "restricted") == (seen["status"], seen["personal_data"])
    assert ("issued", False) == (seen["physical"]["status"], seen["physical"]["effective"])
    assert ("active", False) == (seen["electronic"]["status"], seen["electronic"]["effective"])


def test_no_view_shows_the_person(subtests, registrar, holder_of, restricted):
    """Every personal field is null, for every role."""
    for track in TRACKS:
        for role in ["registrar", "holder"]:
            with subtests.test(track=track, role=role):
                caller = registrar if role == "registrar" else holder_of(restricted)
                path = f"/v1/permits/{restricted['permit_number']}/{track}"

                seen = caller.get(path, min_position=restricted["as_of_position"]).json()

                assert set() == shown(seen)
                assert ("restricted", False) == (seen["personal_data"], seen["effective"])


def test_registrars_commands_are_refused(subtests, registrar, read, restricted):
    """Until the restriction is lifted; the version is unchanged."""
    for what, body in COMMANDS.items():
        with subtests.test(what=what, body=body):
            answer = registrar.post(f"/v1/permits/{restricted['permit_number']}/{what}", body)

            assert (409, "HOLDER_RESTRICTED") == (answer.status_code, answer.json()["code"])
            assert restricted["version"] + 1 == read(restricted)["version"]


def test_the_holders_commands_are_refused(holder_of, restricted):
    """Neither binding nor revoking a phone is possible."""
    path = f"/v1/permits/{restricted['permit_number']}/electronic"
    holder = holder_of(restricted)

    answers = [
        claim(holder, restricted["permit_number"]),
        holder.post(f"{path}/device-revocations", {"device": "A" * 43}),
    ]

    assert [(409, "HOLDER_RESTRICTED")] * 2 == [
        (answer.status_code, answer.json()["code"]) for answer in answers
    ]


def test_a_lift_restores_everything(read, check, act, order, restricted, permit):
    """Shown, effective on both tracks, and open for commands."""
    lifted = order(restricted, "restriction-lifts")

    seen = read(lifted)
    as_before = {**permit, "version": seen["version"], "as_of_position": seen["as_of_position"]}
    assert as_before == seen
    assert ("held", True, True) == (
        seen["personal_data"],
        seen["physical"]["effective"],
        seen["electronic"]["effective"],
    )
    for track in TRACKS:
        assert WITHOUT_PORTRAIT == shown(read(lifted, f"/{track}"))
    assert "effective" == check(permit["permit_number"])["outcome"]
    assert "reported_lost" == act(permit["permit_number"], "loss-reports")["physical"]["status"]


def test_restricting_again_changes_nothing(order, restricted, read):
    """No event; the response has the position of the first restriction."""
    again = order(restricted, "restrictions")

    assert restricted["as_of_position"] == again["as_of_position"]
    assert restricted["version"] + 1 == read(again)["version"]


def test_a_lift_without_a_restriction_is_refused(investigator, permit, order):
    """Never restricted, or lifted already."""
    path = orders(permit, "restriction-lifts")
    never = investigator.post(path, ORDER)
    order(order(permit, "restrictions"), "restriction-lifts")
    twice = investigator.post(path, ORDER)

    assert [(409, "NOT_RESTRICTED")] * 2 == [
        (answer.status_code, answer.json()["code"]) for answer in (never, twice)
    ]


def test_every_permit_of_the_holder_is_restricted_and_lifted(
    registrar, application, act, order, read
):
    """Also those that have ended."""
    person = application()
    first = registrar.post("/v1/permits", person).json()
    act(first["permit_number"], "cancellations", reason="moved_away")
    second = registrar.post("/v1/permits", person).json()

    restricted = order(first, "restrictions")
    both = [{**restricted, "permit_number": p["permit_number"]} for p in (first, second)]
    assert ["restricted"] * 2 == [read(permit)["personal_data"] for permit in both]

    position = order(second, "restriction-lifts")["as_of_position"]
    lifted = [{**permit, "as_of_position": position} for permit in both]
    assert ["held"] * 2 == [read(permit)["personal_data"] for permit in lifted]


def test_a_restricted_person_gets_no_new_permit(registrar, application, act, order):
    """If the former one had ended: a new one would show restricted data."""
    person = application()
    old = registrar.post("/v1/permits", person).json()
    act(old["permit_number"], "cancellations", reason="moved_away")
    restricted = order(old, "restrictions")

    refused = registrar.post("/v1/permits", person)
    order(restricted, "restriction-lifts")
    granted = registrar.post("/v1/permits", person)

    assert (409, "HOLDER_RESTRICTED") == (refused.status_code, refused.json().get("code"))
    assert (201, old["holder_id"]) == (granted.status_code, granted.json()["holder_id"])


def test_a_restricted_holder_can_be_erased(erase, restricted, read):
    """Nothing of the restriction remains."""
    erased = erase(restricted)

    seen = read({**restricted, "as_of_position": erased["as_of_position"]})
    assert ("ended", "erased") == (seen["status"], seen["personal_data"])


def test_a_retry_gets_the_first_response(investigator, permit, order):
    """Even if the restriction was lifted meanwhile."""
    path = orders(permit, "restrictions")
    first = investigator.post(path, ORDER, idempotency_key=path)
    order(permit, "restriction-lifts")

    again = investigator.post(path, ORDER, idempotency_key=path)

    assert first.content == again.content
    assert "true" == again.headers["Idempotency-Replayed"]


def test_other_roles_may_not_restrict(subtests, caller, permit):
    """403 for every permit."""
    for what in ["restrictions", "restriction-lifts"]:
        for role in ["registrar", "holder", "verifier"]:
            with subtests.test(what=what, role=role):
                claims = {"holder_id": permit["holder_id"]} if role == "holder" else {}

                answer = caller(role, **claims).post(orders(permit, what), ORDER)

                assert (403, "FORBIDDEN") == (answer.status_code, answer.json()["code"])


def test_a_token_is_required(subtests, http, permit):
    """401."""
    for what in ["restrictions", "restriction-lifts"]:
        with subtests.test(what=what):
            assert 401 == http.post(orders(permit, what), json=ORDER).status_code


def test_an_unknown_holder_is_not_found(subtests, investigator):
    """404."""
    for what in ["restrictions", "restriction-lifts"]:
        with subtests.test(what=what):
            answer = investigator.post(f"/v1/audit/holders/nobody/{what}", ORDER)

            assert (404, "UNKNOWN_HOLDER") == (answer.status_code, answer.json()["code"])


def test_an_invalid_body_changes_nothing(subtests, investigator, permit, read):
    """422; a text that stays in the log must not identify the person."""
    for what in ["restrictions", "restriction-lifts"]:
        for changes in [
            {"legal_basis": ""},
            {"legal_basis": None},
            {"legal_basis": "x" * 201},
            {"case": "欧阳测试"},
            {"case": "990000199001010017"},
            {"case": ["2026-DP-17"]},
            {"approvals": ["officer-1", "officer-2"]},
        ]:
            with subtests.test(what=what, changes=changes):
                answer = investigator.post(orders(permit, what), {**ORDER, **changes})

                assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
                assert "欧阳测试" not in answer.text
                assert "held" == read(permit)["personal_data"]
