"""A permit's past checks, each with today's answer for its instant."""

NAME, CORRECTED = "欧阳测试", "欧阳改名"
FINDING = "就业证明系伪造"


def test_a_check_before_a_late_report_gets_another_answer_today(at, issue, act, check, look):
    """With the event that made the difference."""
    at("2026-01-05")
    permit = issue()
    at("2026-01-10")
    early = check(permit["permit_number"])
    at("2026-01-25")
    late = check(permit["permit_number"])
    at("2026-02-01")
    lost = act(permit["permit_number"], "loss-reports", lost_on="2026-01-20")

    newest, oldest = look(permit, "checks")["checks"]

    assert [late["check_id"], early["check_id"]] == [newest["check_id"], oldest["check_id"]]
    assert ("effective", True, "not_effective", "reported_lost") == (
        newest["outcome"],
        newest["differs"],
        newest["today"]["outcome"],
        newest["today"]["reason"],
    )
    assert [lost["as_of_position"]] == newest["today"]["because"]
    assert (False, "effective", []) == (
        oldest["differs"],
        oldest["today"]["outcome"],
        oldest["today"]["because"],
    )


def test_a_check_that_showed_a_wrong_name_is_marked(issue, act, check, look):
    """The outcome is unchanged; the field is named."""
    permit = issue()
    assert NAME == check(permit["permit_number"])["permit"]["name"]
    act(permit["permit_number"], "identity-corrections", name=CORRECTED)

    [found] = look(permit, "checks")["checks"]

    assert (True, "effective", ["name"]) == (
        found["differs"],
        found["today"]["outcome"],
        found["today"]["fields"],
    )


def test_p24_checks_of_a_voided_permit_are_listed(issue, act, check, look):
    """[N18] The answer was right at the time."""
    permit = issue()
    check(permit["permit_number"])
    act(permit["permit_number"], "voidings", finding=FINDING)
    assert "voided" == check(permit["permit_number"])["reason"]

    after, before = look(permit, "checks")["checks"]

    assert (True, False, "effective") == (
        before["relied_on"],
        before["differs"],
        before["today"]["outcome"],
    )
    assert (False, False, "voided") == (
        after["relied_on"],
        after["differs"],
        after["today"]["reason"],
    )


def test_a_code_is_evaluated_again_as_live(issue, act, phone_of, show, look):
    """It was live; only the facts of the permit may differ now."""
    permit = issue()
    phone = phone_of(permit)
    show(phone.code())
    act(permit["permit_number"], "loss-reports")

    [found] = look(permit, "checks")["checks"]

    assert ("electronic", "effective", False, "effective") == (
        found["track"],
        found["outcome"],
        found["differs"],
        found["today"]["outcome"],
    )


def test_checks_of_an_erased_holder_keep_their_plain_fields(issue, check, look, erase):
    """Their time and outcome; the verifier was encrypted with the holder's key."""
    permit = issue()
    check(permit["permit_number"])
    erase(permit)

    [found] = look(permit, "checks")["checks"]

    assert ("effective", None, None, None) == (
        found["outcome"],
        found["verifier"],
        found["differs"],
        found["today"],
    )


def test_checks_come_in_pages(issue, check, look):
    """The newest first, each once."""
    permit = issue()
    asked = [check(permit["permit_number"])["check_id"] for _ in range(3)]

    first = look(permit, "checks", limit=2)
    second = look(permit, "checks", limit=2, before=first["next_before"])

    assert asked[::-1] == [one["check_id"] for one in first["checks"] + second["checks"]]
    assert second["next_before"] is None
