"""Reads: the permit, each track by itself, and never older than what the caller has seen."""

import pytest

from domain import card_code, permit_number

VIEWS = ["", "/physical", "/electronic"]
FAR_AHEAD = 10**12


@pytest.fixture
def permit(at, issue):
    at("2026-06-01")
    return issue(issued_on="2026-01-05")


@pytest.mark.parametrize("track", ["/physical", "/electronic"])
def test_each_track_shows_every_field_of_the_face(service, read, permit, track):
    """The same person, address and dates on both; with each track's own fields, and for the card
    the code to print on it."""
    shown = read(permit, track)
    assert (track == "/physical") is bool(card_code.parse(shown.pop("card_code", "")))
    event = service.event(permit["as_of_position"])
    identity = event["identity"]
    own = {
        "/physical": {
            "status": "issued",
            "effective": True,
            "identity_stale": False,
            "card_due_on": "2026-01-20",
            "card_delivered_on": None,
            "updated_at": event["timestamp"],
        },
        "/electronic": {"status": "unclaimed", "effective": False, "devices": 0},
    }[track]

    assert {
        **identity,
        **own,
        "permit_number": permit["permit_number"],
        "holder_id": permit["holder_id"],
        "version": 1,
        "permit_status": "in_force",
        "personal_data": "held",
        "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
        "issuing_authority": "320211-01",
        "issued_on": "2026-01-05",
        "anchor": "2026-01-05",
        "valid_from": "2026-01-05",
        "valid_until": "2027-01-04",
        "endorsements": 0,
        "card_serial": 1,
        "as_of_position": permit["as_of_position"],
    } == shown


def test_a_read_equals_the_response_of_the_write(read, permit):
    """In the same format, whether it comes from the command or from the view."""
    assert permit == read(permit)


@pytest.mark.parametrize("view", VIEWS)
def test_a_read_carries_its_version_and_position_in_headers(registrar, act, permit, view):
    """The ETag is what If-Match takes."""
    lost = act(permit["permit_number"], "loss-reports")
    path = f"/v1/permits/{permit['permit_number']}{view}"

    answer = registrar.get(path, min_position=lost["as_of_position"])

    assert '"2"' == answer.headers["ETag"]
    assert str(answer.json()["as_of_position"]) == answer.headers["Ledger-Position"]


def test_a_read_is_never_older_than_the_callers_write(act, read, permit, holder_of):
    """Forty writes, and after each one all four reads with its position."""
    holder, number = holder_of(permit), permit["permit_number"]

    for what in ["loss-reports", "loss-lifts"] * 20:
        written = act(number, what)
        position = written["as_of_position"]
        seen = [read(written, view) for view in VIEWS]
        seen.append(holder.get("/v1/me/permit", min_position=position).json())
        assert [written["version"]] * 4 == [view["version"] for view in seen]
        assert position <= min(view["as_of_position"] for view in seen)
        assert written["physical"]["status"] == seen[1]["status"]


def test_a_position_beyond_the_head_is_unavailable(registrar, permit):
    """503 with Retry-After after the wait."""
    path = f"/v1/permits/{permit['permit_number']}"

    answer = registrar.get(path, min_position=FAR_AHEAD)

    assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])
    assert int(answer.headers["Retry-After"]) > 0


def test_a_search_waits_as_well(registrar):
    """Its position is in the address, the person is in the body."""
    body = {"citizen_id_number": "990000199001010017"}

    answer = registrar.post(f"/v1/permits/searches?min_position={FAR_AHEAD}", body)

    assert 503 == answer.status_code


def test_a_position_must_be_an_integer(subtests, registrar, permit):
    """Anything else is invalid, and not repeated."""
    for position in ["-1", "soon", "", "1.5", str(2**63), "9" * 5000]:
        with subtests.test(position=position):
            path = f"/v1/permits/{permit['permit_number']}"

            answer = registrar.get(path, min_position=position)

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
            assert ["min_position"] == [
                error["field"].split(".")[-1] for error in answer.json()["errors"]
            ]


def test_an_unknown_permit_is_not_found(subtests, registrar):
    """Never issued, a wrong check character, or malformed: the same response."""
    for view in VIEWS:
        for number in [
            permit_number.draw(lambda bits: 3 * (2**bits // 31)),
            "000000000000",
            "nonsense",
            "１２３",
            "%00",
            "..%2F..",
            "A" * 5000,
        ]:
            with subtests.test(view=view, number=number):
                answer = registrar.get(f"/v1/permits/{number}{view}")

                assert 404 == answer.status_code
                assert answer.json()["code"] in {"UNKNOWN_PERMIT", "NOT_FOUND"}
