"""Each question, asked about made-up events so few that the answer can be checked by hand; the
roll-ups and a recount answer alike."""

from datetime import date

import pytest

from consumers.analytics import questions

TODAY = date(2026, 6, 15)


@pytest.fixture
def ask(sink, recount):
    """``ask("losses")``: its rows, each by its columns' names, on 15 June 2026."""

    def ask(name, days=None):
        questions.set_day(sink.connection, TODAY, 30, days)
        table = questions.ask(sink.connection, questions.BY_NAME[name]).whole
        recount.load(sink).set_day(TODAY, 30, days)
        assert recount.answer(name) == (table.columns, table.rows)
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]

    return ask


def issued(anchor, division="320211", **more):
    home = {"residence": {"division": division}}
    return {"anchor": anchor, "years": 1, "card_serial": 1, "ground": "employment", **home, **more}


def endorsed(anchor, years, on, kind):
    return {"anchor": anchor, "years": years, "endorsed_on": on, "kind": kind}


def delivered(on, serial=1):
    return {"delivered_on": on, "card_serial": serial}


def at(day, hour=2):
    return f"{day}T{hour:02}:00:00"


def check(
    position,
    reason=None,
    number=None,
    when="2026-06-10T02:00:00",
    track="electronic",
    verifier=None,
    scenario="patrol_inspection",
):
    return {
        "verifier": verifier,
        "position": position,
        "checked_at": when,
        "permit_number": number,
        "track": track,
        "scenario": scenario,
        "outcome": "not_effective" if reason else "effective",
        "reason": reason,
    }


def test_in_force_on_a_day_as_true_and_as_known_then(put, ask):
    """A move that was reported late counts where the holder lived, and where they were known to
    live."""
    put(
        ("issued", "A", at("2026-01-05"), issued("2026-01-05")),
        ("issued", "B", at("2026-01-05"), issued("2026-01-05")),
        (
            "address-changed",
            "A",
            at("2026-03-20"),
            {"moved_on": "2026-03-01", "residence": {"division": "320281"}},
        ),
        ("cancelled", "B", at("2026-04-01"), {"reason": "moved_away"}),
    )

    march = ask("in_force_by_district", [date(2026, 3, 10)])
    april = ask("in_force_by_district", [date(2026, 4, 1)])

    assert [("320211", 1, 2), ("320281", 1, 0)] == [
        (r["division"], r["in_force"], r["in_force_known_then"]) for r in march
    ]
    assert [("320281", 1, 1)] == [
        (r["division"], r["in_force"], r["in_force_known_then"]) for r in april
    ]


def test_a_legal_day_begins_in_shanghai(put, ask):
    """At 16:00 UTC of the day before."""
    put(
        ("issued", "A", at("2026-01-05"), issued("2026-01-05")),
        ("cancelled", "A", "2026-03-01T15:59:59", {"reason": "moved_away"}),
        ("issued", "B", at("2026-01-05"), issued("2026-01-05")),
        ("cancelled", "B", "2026-03-01T16:00:00", {"reason": "moved_away"}),
    )

    assert [1] == [row["in_force"] for row in ask("in_force_by_district", [date(2026, 3, 1)])]


def test_days_from_order_to_hand(put, ask):
    """By the station that ordered the card, each by its serial; not collected: not counted."""
    made = {"card_serial": 2, "card_due_on": "2026-03-10", "station": "320281-02"}
    put(
        ("issued", "A", at("2026-01-05"), issued("2026-01-05", card_due_on="2026-01-20")),
        ("card-delivered", "A", at("2026-01-15"), delivered("2026-01-15")),
        ("issued", "B", at("2026-01-05"), issued("2026-01-05", card_due_on="2026-01-20")),
        ("card-delivered", "B", at("2026-01-25"), delivered("2026-01-25")),
        ("issued", "C", at("2026-01-05"), issued("2026-01-05")),
        ("card-reissued", "A", at("2026-02-23"), made),
        ("card-delivered", "A", at("2026-03-01"), delivered("2026-03-01", 2)),
    )

    first, second = ask("delivery_times")

    assert ("320211-01", 2, 15.0, 19.0, 1) == tuple(first.values())
    assert ("320281-02", 1, 6.0, 6.0, 0) == tuple(second.values())


def test_endorsements_due(put, ask):
    """The last valid day counts: exactly 30 days away is within 30."""
    put(
        ("issued", "A", at("2025-07-16"), issued("2025-07-16")),  # valid until 15 July 2026
        ("issued", "B", at("2025-07-17"), issued("2025-07-17")),
        ("issued", "C", at("2025-06-15"), issued("2025-06-15")),  # ran out yesterday
        ("issued", "D", at("2025-06-16"), issued("2025-06-16")),  # its last day is today
        ("issued", "E", at("2026-06-01"), issued("2026-06-01")),
    )

    assert [("320211", 2, 3, 3, 4)] == [tuple(row.values()) for row in ask("endorsements_due")]


def test_how_endorsements_ended(put, ask):
    """Each year that ran out, once, under the month in which it did."""
    put(
        ("issued", "A", at("2025-02-10"), issued("2025-02-10")),
        ("endorsed", "A", at("2026-01-20"), endorsed("2025-02-10", 2, "2026-01-20", "on_time")),
        ("issued", "B", at("2025-02-11"), issued("2025-02-11")),
        ("endorsed", "B", at("2026-03-01"), endorsed("2025-02-11", 2, "2026-03-01", "in_grace")),
        ("issued", "C", at("2025-02-12"), issued("2025-02-12")),
        ("endorsed", "C", at("2026-05-01"), endorsed("2026-05-01", 1, "2026-05-01", "re_anchored")),
        ("issued", "D", at("2025-02-13"), issued("2025-02-13")),
        ("issued", "E", at("2025-02-14"), issued("2025-02-14")),
        ("cancelled", "E", at("2026-01-01"), {"reason": "moved_away"}),
        ("issued", "H", at("2025-02-15"), issued("2025-02-15")),
        ("cancelled", "H", at("2026-02-15"), {"reason": "moved_away"}),  # the day after its last
        ("issued", "F", at("2025-05-16"), issued("2025-05-16")),  # grace until today
        ("issued", "G", at("2025-05-15"), issued("2025-05-15")),  # until yesterday
    )

    may, february = ask("endorsement_outcomes")

    assert ("2026-02-01", 5, 1, 1, 1, 0, 2, 0.2) == tuple(february.values())
    assert ("2026-05-01", 2, 0, 0, 0, 1, 1, 0.0) == tuple(may.values())


def test_losses_and_new_cards(put, ask):
    """In the month in which they were recorded, and for each thousand in force at its end."""
    card = {"card_serial": 2, "card_due_on": "2026-05-20"}
    put(
        ("issued", "A", at("2026-01-05"), issued("2026-01-05")),
        ("issued", "B", at("2026-01-05"), issued("2026-01-05")),
        ("card-reported-lost", "A", at("2026-04-30"), {"card_serial": 1, "lost_on": "2026-03-30"}),
        ("card-reissued", "A", at("2026-05-05"), card),
        ("card-reported-lost", "B", at("2026-05-06"), {"card_serial": 1}),
        ("loss-lifted", "B", at("2026-05-07"), {"card_serial": 1, "lifted_on": "2026-05-07"}),
        ("card-replaced", "B", at("2026-05-08"), {**card, "reason": "damaged"}),
    )

    found = {row["month"]: row for row in ask("losses")}

    assert (1, 0, 0, 0, 2, 500.0) == tuple(found["2026-04-01"].values())[1:]
    assert (1, 1, 1, 1, 2, 500.0) == tuple(found["2026-05-01"].values())[1:]
    assert (0, 0, 0, 0, 2, 0.0) == tuple(found["2026-06-01"].values())[1:]


def test_electronic_adoption(put, ask):
    """Of the permits in force at the month's end; a claim is not undone by a revoked device."""
    put(
        ("issued", "A", at("2026-03-05"), issued("2026-03-05")),
        ("issued", "B", at("2026-03-05"), issued("2026-03-05")),
        ("electronic-claimed", "A", at("2026-04-10"), {}),
        ("device-revoked", "A", at("2026-05-10"), {}),
    )

    found = {
        row["month"]: (row["in_force"], row["claimed"], row["claimed_share"])
        for row in ask("electronic_adoption")
    }

    assert ((2, 0, 0.0), (2, 1, 0.5), (2, 1, 0.5)) == tuple(
        found[f"2026-0{m}-01"] for m in (3, 4, 5)
    )


def test_checks(sink, ask):
    """By scenario, track and answer; those of the last thirty days by themselves."""
    sink.write_checks(
        [check(1), check(2), check(3, "not_live"), check(4, when="2026-01-10T02:00:00")]
    )

    assert [
        ("patrol_inspection", "electronic", "effective", None, 3, 2),
        ("patrol_inspection", "electronic", "not_effective", "not_live", 1, 1),
    ] == [tuple(row.values()) for row in ask("checks_answered")]


def test_corrections_and_backdating(put, ask):
    """Who recorded it, and how many days after it was true; the same day is not late."""
    put(
        ("issued", "A", at("2026-01-15"), issued("2026-01-05")),
        ("issued", "B", at("2026-01-05"), issued("2026-01-05")),
        ("identity-corrected", "B", at("2026-02-05"), {"actor": "officer-2"}),
        ("card-reported-lost", "B", at("2026-03-05"), {"lost_on": "2026-03-01", "card_serial": 1}),
        (
            "address-changed",
            "B",
            at("2026-03-06"),
            {"moved_on": "2026-03-06", "residence": {"division": "320281"}},
        ),
    )

    assert {
        ("officer-1", "issued", 1, 10.0, 10),
        ("officer-2", "identity-corrected", 1, None, None),
        ("officer-1", "card-reported-lost", 1, 4.0, 4),
    } == {tuple(row.values())[1:] for row in ask("corrections")}


def test_the_work_of_stations(put, ask):
    """Per month, with the days of activity; what holders do themselves is no station's work."""
    put(
        ("issued", "A", at("2026-05-05"), issued("2026-05-05")),
        ("card-delivered", "A", at("2026-05-15"), delivered("2026-05-15")),
        ("electronic-claimed", "A", at("2026-05-15"), {"station": None}),
        ("card-reported-lost", "A", at("2026-05-15", 3), {"card_serial": 1}),
        ("issued", "B", at("2024-05-05"), issued("2024-05-05")),
    )

    assert [("320211-01", "2026-05-01", 1, 0, 1, 1, 3, 2)] == [
        tuple(row.values()) for row in ask("station_throughput")
    ]


def test_suspicious_patterns(put, sink, ask):
    """At the threshold within the period, not one below it; nothing about erased holders."""
    lost = {"card_serial": 1}
    put(
        ("issued", "A", at("2025-01-05"), issued("2025-01-05")),
        *(("card-reported-lost", "A", at(f"2025-0{month}-10"), lost) for month in (2, 4, 6)),
        ("issued", "B", at("2025-01-05"), issued("2025-01-05")),
        *(
            ("card-reported-lost", "B", at(day), lost)
            for day in ("2025-02-10", "2025-04-10", "2026-03-10")
        ),
        ("issued", "C", at("2025-01-05"), issued("2025-01-05")),
        *(("device-bound", "C", at(f"2025-02-0{day}"), {}) for day in (1, 2, 3)),
        ("holder-erased", "C", at("2026-05-05"), {}),
    )
    sink.write_checks(
        [
            *(check(n, "not_live", "B", f"2026-06-10T02:0{n}:00") for n in (1, 2, 3)),
            *(check(n, "not_live", "A", f"2026-06-1{n - 3}T02:00:00") for n in (4, 5, 6)),
            check(7, "superseded_card", "A", track="physical"),
        ]
    )

    assert {
        ("many_losses", "A", 3),
        ("replayed_codes", "B", 3),
        ("dead_card_shown", "A", 1),
    } == {(row["pattern"], row["permit_number"], row["times"]) for row in ask("suspicious")}


def test_events_of_another_kind_are_kept_and_not_counted_as_permits(sink, ask, put):
    """With what all events have in common."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from consumers.analytics.batch import BatchBuilder  # noqa: PLC0415
    from consumers.analytics.facts import row_of  # noqa: PLC0415
    from consumers.contract.cloudevents import EventRecord  # noqa: PLC0415

    fields = {"station": "320211-01", "actor": "officer-1", "secret": "x"}
    other = EventRecord(
        1, "landlord.registered.v1", datetime(2026, 6, 1, tzinfo=UTC), "R1", 1, "", fields
    )
    builder = BatchBuilder({})
    builder.take(0, 1, row_of(other))
    sink.write(builder.batch())

    assert [("landlord", "registered", "R1")] == [
        (row["kind"], row["name"], row["subject"]) for row in sink.rows("SELECT * FROM events")
    ]
    assert [] == ask("station_throughput")


def test_applications_for_identity_cards(put, ask):
    """One is late, one went back, one was collected; a due date may be set again; permits beside
    them count for nothing here."""

    def accepted(on, due):
        return {"accepted_on": on, "due_date": due, "collection": "in_person", "fee_yuan": 0}

    put(("issued", "P", at("2026-05-04"), issued("2026-05-04")))
    put(
        ("accepted", "A", at("2026-05-04"), accepted("2026-05-04", "2026-06-01")),
        ("accepted", "B", at("2026-05-04"), accepted("2026-05-04", "2026-06-01")),
        ("returned", "B", at("2026-05-10"), {}),
        ("accepted", "C", at("2026-05-05"), accepted("2026-05-05", "2026-06-02")),
        ("collected", "C", at("2026-05-25"), {}),
        ("holder-erased", "C", at("2026-05-26"), {}),
        ("accepted", "D", at("2026-05-06"), accepted("2026-05-06", "2026-06-03")),
        ("due-date-set", "D", at("2026-05-07"), {"due_date": "2026-07-03"}),
        ("accepted", "E", at("2026-06-01"), accepted("2026-06-01", "2026-06-30")),
        ("holder-erased", "E", at("2026-06-02"), {}),
        kind="id-card",
    )
    june, may = ask("applications")

    assert (may["month"], june["month"]) == ("2026-05-01", "2026-06-01")
    counts = ("accepted", "open", "overdue", "returned", "withdrawn", "collected")
    assert [may[name] for name in counts] == [4, 2, 1, 1, 0, 1]
    assert [june[name] for name in counts] == [1, 0, 0, 0, 1, 0]
    assert may["p50_days"] == may["p90_days"] == 20


def test_officers_days(put, sink, ask):
    """What ends, changes, restricts or erases records, and what was read, by officer and day of the
    last thirty; three voidings or ten erasures on a day are unusual."""
    officer = {"station": "320211-01", "actor": "officer-1"}
    void = ("voided", {"finding": "forged lease", **officer})
    put(
        *(("issued", number, at("2026-01-05"), issued("2026-01-05")) for number in "ABCDE"),
        *((void[0], number, at("2026-06-10"), void[1]) for number in "ABC"),
        ("cancelled", "D", at("2026-06-10"), {"reason": "deceased", **officer}),
        ("cancelled", "E", at("2026-05-01"), {"reason": "deceased", **officer}),
    )
    order = {"actor": "officer-9"}
    put(
        *(("holder-erased", number, at("2026-06-09"), order) for number in "ABCDE" * 2),
        ("holder-restricted", "A", at("2026-06-08"), order),
        ("holder-restriction-lifted", "A", at("2026-06-08"), order),
        ("device-revoked", "A", at("2026-06-08"), {"actor": "holder-1"}),
    )
    reads = {"day": "2026-06-11", "reads": 500, **officer}
    sink.replace_officer_reads([{**reads, "reads": 7}])
    sink.replace_officer_reads([reads])

    assert [
        ("2026-06-11", "officer-1", 0, 0, 0, 0, 0, 0, 500, True),
        ("2026-06-10", "officer-1", 3, 1, 0, 0, 0, 0, 0, True),
        ("2026-06-09", "officer-9", 0, 0, 0, 0, 0, 10, 0, True),
        ("2026-06-08", "officer-9", 0, 0, 0, 1, 1, 0, 0, False),
    ] == [
        tuple(value for name, value in row.items() if name != "station")
        for row in ask("officer_days")
    ]


def test_verifiers_days(sink, ask):
    """Different permits that an account checked by card, and how many for the first time."""
    sink.write_checks(
        [
            check(1, None, "A", "2026-04-01T02:00:00", "physical", "aa"),
            check(2, None, "A", track="physical", verifier="aa"),
            check(3, None, "B", track="physical", verifier="aa"),
            check(4, "unknown_permit", "B", track="physical", verifier="aa"),
            check(5, "unknown_permit", None, track="physical", verifier="aa"),
            check(6, None, "A", track="physical", verifier="bb"),
            check(7, None, "C", verifier="bb"),
        ]
    )

    assert [
        ("aa", 4, 2, 1, 2, False),
        ("bb", 1, 1, 1, 0, False),
    ] == [
        tuple(value for name, value in row.items() if name not in {"day", "scenario"})
        for row in ask("verifier_days")
    ]


def test_a_thousand_different_permits_a_day_are_unusual(sink, ask):
    """It looks like copying a register."""
    sink.write_checks(
        [check(n, None, f"P{n}", track="physical", verifier="aa") for n in range(1, 1001)]
    )

    [row] = ask("verifier_days")

    assert (1000, 1000, True) == (row["permits"], row["never_before"], row["is_unusual"])


def test_a_thousand_permits_in_several_scenarios_are_unusual(sink, ask):
    """Each scenario alone would not be."""
    sink.write_checks(
        [
            check(n, None, f"P{n}", track="physical", verifier="aa", scenario=f"scenario_{n % 4}")
            for n in range(1, 1001)
        ]
    )

    assert [(250, True)] * 4 == [
        (row["permits"], row["is_unusual"]) for row in ask("verifier_days")
    ]
