"""The investigator's reads: what was changed, what was true when, and who relied on it."""

from urllib.parse import quote

from tests.api.service import audit_path

NAME, CORRECTED = "欧阳测试", "欧阳改名"
FINDING = "就业证明系伪造"


def changed(event):
    return {each["field"]: (each["from"], each["to"]) for each in event["changes"]}


# -- the history -------------------------------------------------------------------------------


def test_each_event_names_officer_station_and_changes(at, issue, act, look):
    """For both tracks, including personal data."""
    at("2026-01-05")
    permit = issue()
    number = permit["permit_number"]
    at("2026-02-01")
    act(number, "loss-reports", lost_on="2026-01-20")
    act(number, "reissues")
    act(number, "identity-corrections", name=CORRECTED)

    history = look(permit, "events")

    issued, lost, reissued, corrected = history["events"]
    assert [1, 2, 3, 4] == [event["version"] for event in history["events"]]
    assert (None, NAME) == changed(issued)["identity.name"]
    assert ("permit.card-reported-lost.v2", "registrar@development", "320211-01") == (
        lost["type"],
        lost["actor"],
        lost["station"],
    )
    assert {
        "physical.status": ("issued", "reported_lost"),
        "physical.effective": (True, False),
    } == changed(lost)
    assert "2026-01-20" == lost["facts"]["lost_on"]
    assert ("2026-01-20T00:00:00+08:00", "2026-02-01T01:00:00") == (
        lost["true_from"],
        lost["recorded_at"][:19],
    )
    assert {
        "physical.card_serial": (1, 2),
        "electronic.card_serial": (1, 2),
        "physical.status": ("reported_lost", "issued"),
    }.items() <= changed(reissued).items()
    assert (NAME, CORRECTED) == changed(corrected)["identity.name"]
    assert [] == history["missing_versions"]
    assert history["as_of_position"] >= corrected["position"] > issued["position"]


def test_a_history_comes_in_pages(issue, act, look):
    """Each event once, and the last page says that it is."""
    permit = issue()
    for _ in range(3):
        act(permit["permit_number"], "loss-reports")
        act(permit["permit_number"], "loss-lifts")
    whole, pages, after = look(permit, "events")["events"], [], 0

    while after is not None:
        page = look(permit, "events", after=after, limit=3)
        pages.append(page["events"])
        after = page["next_after"]

    assert [3, 3, 1] == [len(page) for page in pages]
    assert whole == [event for page in pages for event in page]


def test_a_link_is_a_header_however_the_number_was_typed(investigator, issue, act):
    """In full-width characters, or with a wide space."""
    number = issue()["permit_number"]
    act(number, "loss-reports")
    wide = "".join(chr(ord(one) + 0xFEE0) for one in number)
    for typed in (wide, f"{number}\u3000"):
        path = f"/v1/audit/permits/{quote(typed)}/events"

        first = investigator.get(path, limit=1)

        assert 200 == first.status_code, first.text
        target = first.headers["Link"].partition(">")[0].removeprefix("<")
        second = investigator.http.get(target, headers=investigator.headers).json()
        assert [2] == [each["version"] for each in second["events"]]


def test_an_erased_holder_is_shown_as_erased(service, issue, act, look, erase):
    """No name and no address in any part of the history; plain fields remain."""
    permit = issue()
    act(permit["permit_number"], "identity-corrections", name=CORRECTED)
    act(permit["permit_number"], "voidings", finding=FINDING)
    assert FINDING in str(look(permit, "events"))
    erase(permit)

    history = look(permit, "events")

    history_text = str(history)
    for secret in (NAME, CORRECTED, FINDING, "滨湖区示例新村8号101室"):
        assert secret not in history_text
    issued, corrected, voided, requested, erased = history["events"]
    assert "permit.erasure-requested.v1" == requested["type"]
    assert ["erased"] * 3 == [event["withheld"] for event in (issued, corrected, voided)]
    assert "320211" == issued["facts"]["residence"]["division"]
    assert {"name", "citizen_id_number", "hukou_address"} <= {
        change["field"] for change in corrected["changes"] if change["withheld"] == "erased"
    }
    assert ("held", "erased") == changed(erased)["personal_data"]
    state = look(permit, "state")
    assert ("erased", None, None) == (
        state["withheld"],
        state["identity"],
        state["residence"]["address"],
    )


def test_a_card_stays_in_force_before_an_erasure_too(at, issue, act, look, erase):
    """That the card does not show what was corrected is in the clear, and outlives the key."""
    at("2026-01-05")
    permit = issue()
    at("2026-02-01")
    act(permit["permit_number"], "identity-corrections", hukou_address="安徽省合肥市示例路9号")
    then = {"at": "2026-03-01T00:00:00Z"}
    at("2026-04-01")
    before = look(permit, "state", **then)
    assert ([], True) == (before["uncertain"], before["physical"]["effective"])
    erase(permit)

    state = look(permit, "state", **then)

    assert ("erased", [], False, before["physical"]) == (
        state["withheld"],
        state["uncertain"],
        state["identity_stale"],
        state["physical"],
    )


def test_a_restricted_holder_is_not_shown(issue, look, protect):
    """The data is kept, and not used, until the restriction is lifted."""
    permit = issue()
    protect(permit, "restrictions")

    assert NAME not in str(look(permit, "events"))
    assert ("restricted", None) == (
        (state := look(permit, "state"))["withheld"],
        state["identity"],
    )

    protect(permit, "restriction-lifts")
    assert NAME == look(permit, "state")["identity"]["name"]


def test_an_unreadable_event_is_listed_as_such(service, issue, act, look, investigator):
    """The state after it is unknown; the state before it is returned."""
    permit = issue()
    between = act(permit["permit_number"], "loss-reports")
    act(permit["permit_number"], "loss-lifts")
    [(known_at,)] = service.rows(
        "SELECT recorded_at FROM ledger.readable_events WHERE position = %s",
        permit["as_of_position"],
    )
    service.execute(
        "ALTER TABLE ledger.events DISABLE TRIGGER append_only;"
        " UPDATE ledger.events SET state = '{\"card_serial\": []}'"
        f" WHERE position = {between['as_of_position']};"
        " ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only"
    )

    issued, broken, lifted = look(permit, "events")["events"]

    assert [True, False, True] == [event["readable"] for event in (issued, broken, lifted)]
    assert "can't be read" in broken["reason"]
    assert (None, None, None) == (broken["facts"], broken["changes"], lifted["changes"])
    assert 1 == lifted["facts"]["card_serial"]
    for what in ("state", "timeline", "checks"):
        answer = investigator.get(audit_path(permit, what))
        assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])
    then = investigator.get(audit_path(permit, "state"), known_at=known_at.isoformat())
    assert 503 == then.status_code  # the instant of the broken event is unreadable as well


def test_a_broken_event_hides_nothing_that_was_known_before_it(service, at, issue, act, look):
    """If at least its own instant can be read."""
    at("2026-01-05")
    permit = issue()
    at("2026-02-01")
    lost = act(permit["permit_number"], "loss-reports")
    service.execute(
        "ALTER TABLE ledger.events DISABLE TRIGGER append_only;"
        " UPDATE ledger.events SET state ="
        "   convert_to(jsonb_set(convert_from(state, 'UTF8')::jsonb, '{card_serial}', '[]')::text,"
        "              'UTF8')"
        f" WHERE position = {lost['as_of_position']};"
        " ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only"
    )

    state = look(permit, "state", known_at="2026-01-31T00:00:00Z")

    assert (1, True) == (state["known_version"], state["physical"]["effective"])


def test_a_removed_event_is_detected(service, issue, act, look, investigator):
    """By its version; the state since then is unknown."""
    permit = issue()
    lost = act(permit["permit_number"], "loss-reports")
    act(permit["permit_number"], "loss-lifts")
    taken = lost["as_of_position"]
    [row] = service.rows("SELECT * FROM ledger.events WHERE position = %s", taken)
    service.execute(
        "ALTER TABLE ledger.events DISABLE TRIGGER append_only;"
        f" DELETE FROM ledger.events WHERE position = {taken};"
        " ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only"
    )
    try:
        history = look(permit, "events")
        answer = investigator.get(audit_path(permit, "state"))
    finally:
        places = ", ".join(["%s"] * len(row))
        service.rows(f"INSERT INTO ledger.events VALUES ({places}) RETURNING 1", *row)

    assert ([2], [1, 3]) == (
        history["missing_versions"],
        [event["version"] for event in history["events"]],
    )
    assert history["events"][1]["changes"] is None
    assert 503 == answer.status_code


# -- time travel -------------------------------------------------------------------------------


def test_a_loss_reported_late_is_true_before_it_is_known(at, issue, act, look):
    """True at one instant, known at another: four answers."""
    at("2026-01-05")
    permit = issue()
    at("2026-02-01")
    act(permit["permit_number"], "loss-reports", lost_on="2026-01-20")
    between, before, after = (
        "2026-01-25T12:00:00+08:00",
        "2026-01-10T12:00:00+08:00",
        "2026-02-02T12:00:00+08:00",
    )

    def status(true_at, known_at):
        return look(permit, "state", at=true_at, known_at=known_at)["physical"]["status"]

    at("2026-03-01")
    assert "issued" == status(between, between)
    assert "reported_lost" == status(between, after)
    assert "issued" == status(before, after)
    assert "reported_lost" == status(after, after)
    assert "issued" == status(after, between)


def test_without_instants_the_state_is_the_current_permit(at, issue, act, look, read):
    """In the same format as everywhere."""
    at("2026-01-05")
    permit = act(issue()["permit_number"], "loss-reports", lost_on="2026-01-05")

    state, now = look(permit, "state"), read(permit)

    now.pop("as_of_position")
    assert now == {name: state[name] for name in now}
    assert permit["as_of_position"] == state["as_of_position"]
    assert state["at"] == state["known_at"]


def test_a_future_event_that_is_known_is_shown_now(issue, look):
    """With the instant from which it is true."""
    state = look(issue(), "state", known_at="2099-01-01T00:00:00Z")

    assert state["known_at"] < "2099"


def test_before_its_issue_a_permit_is_not_found(subtests, investigator, issue):
    """Neither by the true nor by the known instant."""
    for parameters in [{"at": "2020-01-01T00:00:00Z"}, {"known_at": "2020-01-01T00:00:00Z"}]:
        with subtests.test(parameters=parameters):
            answer = investigator.get(audit_path(issue(), "state"), **parameters)

            assert (404, "UNKNOWN_PERMIT") == (answer.status_code, answer.json()["code"])


def test_an_instant_has_a_date_a_time_and_an_offset(subtests, investigator, issue):
    """Any other form is ambiguous."""
    for instant in [
        *("2026-01-05", "2026-01-05T09:00:00", "1767600000", "yesterday", ""),
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    ]:
        with subtests.test(instant=instant):
            answer = investigator.get(audit_path(issue(), "state"), at=instant)

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


def test_digits_beyond_microseconds_are_truncated(investigator, issue):
    """A .NET client sends seven, others nine."""
    answer = investigator.get(audit_path(issue(), "state"), at="2099-12-01T12:00:00.1234567z")

    assert 200 == answer.status_code
    assert "2099-12-01T12:00:00.123456Z" == answer.json()["at"].replace("+00:00", "Z")


def test_an_unescaped_plus_in_an_offset_is_accepted(http, investigator, issue):
    """As people type it."""
    at = "2099-01-01T00:00:00+08:00"

    answer = http.get(f"{audit_path(issue(), 'state')}?at={at}", headers=investigator.headers)

    assert (200, "2099-01-01T00:00:00+08:00") == (answer.status_code, answer.json()["at"])


def test_a_timeline_has_both_tracks_in_bands_and_every_event_twice(at, issue, act, look):
    """At the instant from which it is true, and at the one when it was recorded."""
    at("2026-01-05")
    permit = issue()
    at("2026-02-01")
    act(permit["permit_number"], "loss-reports", lost_on="2026-01-20")

    timeline = look(permit, "timeline")

    assert [
        ("2026-01-05T00:00:00+08:00", "in_force", "issued", "unclaimed"),
        ("2026-01-20T00:00:00+08:00", "in_force", "reported_lost", "unclaimed"),
        ("2027-01-05T00:00:00+08:00", "use_suspended", "reported_lost", "unclaimed"),
    ] == [
        (band["since"], band["status"], band["physical"], band["electronic"])
        for band in timeline["bands"]
    ]
    lost = timeline["marks"][1]
    assert ("2026-01-20T00:00:00+08:00", "2026-02-01T01:00") == (
        lost["true_from"],
        lost["recorded_at"][:16],
    )
    assert 1 == len(look(permit, "timeline", known_at="2026-01-31T00:00:00Z")["marks"])
