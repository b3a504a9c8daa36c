"""Live streams: the current state, then changes; bounded, and ended when the service stops."""

import asyncio
import json
import time
from contextlib import ExitStack, contextmanager
from datetime import date

import httpx
import pytest

from api.http.streams import Streams
from api.operations.live_summary import document
from domain.events import PermitIssued
from domain.stream_types import STREAM_TYPES
from projections.queries.live_summary import STEP_EVENTS, LiveSummary

PROTECTION = ("restricted", "restriction_lifted", "erased")
PUBLIC_KEYS = {"log_position", "views_position", "lag_events", "today", "events_today"}
STREAMS_A_CALLER_MAX = 8


@pytest.fixture
def listen(service):
    """``with listen(path, caller) as heard: next(heard)``: the events, as (name, data)."""

    @contextmanager
    def open_stream(path, caller=None, of=None):
        headers = dict(caller.headers) if caller else {}
        with (
            httpx.Client(base_url=(of or service).url, timeout=20) as http,
            http.stream("GET", path, headers=headers) as answer,
        ):
            assert 200 == answer.status_code, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield _events(answer.iter_lines())

    return open_stream


def _events(lines):
    name = None
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def _address(permit):
    position = permit["as_of_position"]
    return f"/v1/permits/{permit['permit_number']}/live?min_position={position}"


def test_a_registrar_sees_a_permit_change(listen, registrar, issue, act):
    """First its current state, both tracks, then the next."""
    permit = issue()
    with listen(_address(permit), registrar) as heard:
        name, before = next(heard)
        act(permit["permit_number"], "loss-reports")
        _, after = next(heard)

    assert ("permit", True) == (name, before["physical"]["effective"])
    assert (False, before["version"] + 1) == (after["physical"]["effective"], after["version"])
    assert after["as_of_position"] > before["as_of_position"]


def test_a_stream_ends_with_its_token():
    """A token that was withdrawn, or expired, would otherwise be good for ten minutes more."""

    async def ends_after(expires_in_s):
        with Streams().open("officer", expires_at=time.time() + expires_in_s) as stream:
            woken = await stream.woken()
            return woken, stream.is_over

    assert (False, True) == asyncio.run(ends_after(0.3))
    assert (False, True) == asyncio.run(ends_after(-5))


def test_a_reissue_is_never_seen_on_one_track_alone(listen, registrar, issue, act):
    """P15: every event of the stream has both tracks with the same serial."""
    permit = issue()
    with listen(_address(permit), registrar) as heard:
        next(heard)
        act(permit["permit_number"], "loss-reports")
        act(permit["permit_number"], "reissues")
        seen = [next(heard)[1]]
        while seen[-1]["version"] < 3:
            seen.append(next(heard)[1])

    assert all(one["physical"]["card_serial"] == one["electronic"]["card_serial"] for one in seen)
    assert 2 == seen[-1]["physical"]["card_serial"]


def test_a_holder_gets_an_event_for_each_check(listen, issue, holder_of, check):
    """With the position of the last one; a refused check as well."""
    permit = issue()
    with listen(f"/v1/me/live?min_position={permit['as_of_position']}", holder_of(permit)) as heard:
        first = {next(heard)[0], next(heard)[0]}
        check(permit["permit_number"], card_serial=7)
        name, data = next(heard)

    assert {"permit", "checked"} == first
    assert "checked" == name
    assert data["position"] > 0


def test_the_end_of_a_day_changes_the_next_event(listen, registrar, issue, read, at):
    """Nothing runs at midnight: the stream computes the state whenever it is woken."""
    at("2026-12-20")
    permit = issue(issued_on="2026-01-05")
    read(permit)
    with listen(_address(permit), registrar) as heard:
        _, before = next(heard)
        at("2027-01-05")
        registrar.post(f"/v1/permits/{permit['permit_number']}/loss-reports")
        _, after = next(heard)

    assert ("in_force", "2026-12-20") == (before["status"], before["today"])
    assert ("use_suspended", "2027-01-05") == (after["status"], after["today"])


def test_the_live_summary_is_public_and_has_nothing_personal(listen, issue):
    """Positions, and counts that do not tell of what kind the newest event is."""
    issued = "permit.issued.v1"
    with listen("/v1/live") as heard:
        name, before = next(heard)
        seen = {}
        for _ in range(2 * STEP_EVENTS):
            position = issue()["as_of_position"]
            pulse = next(heard)[1]
            while pulse["views_position"] < position:
                pulse = next(heard)[1]
            seen.setdefault(pulse["log_position"] // STEP_EVENTS, set()).add(
                pulse["events_today"].get(issued, 0)
            )

    assert ("pulse", PUBLIC_KEYS) == (name, set(pulse))
    assert all(times % 5 == 0 for times in pulse["events_today"].values())
    assert {1} == {len(counts) for counts in seen.values()}
    assert pulse["events_today"][issued] >= before["events_today"].get(issued, 0) + STEP_EVENTS - 5


@pytest.mark.parametrize(
    ("path", "role", "status", "code"),
    [
        ("/v1/me/live", None, 401, "UNAUTHENTICATED"),
        ("/v1/me/live", "registrar", 403, "FORBIDDEN"),
        ("/v1/permits/0KXYGXBAVBS3/live", "verifier", 403, "FORBIDDEN"),
        ("/v1/permits/nonsense/live", "registrar", 404, "UNKNOWN_PERMIT"),
        ("/v1/permits/nonsense/live?min_position=x", "registrar", 422, "INVALID_REQUEST"),
    ],
)
def test_a_forbidden_stream_is_a_problem(http, caller, path, role, status, code):
    """Before anything is streamed."""
    answer = http.get(path, headers=caller(role).headers if role else {})

    assert (status, code) == (answer.status_code, answer.json()["code"])


def test_a_holder_without_a_permit_gets_404(caller):
    """As everywhere."""
    assert 404 == caller("holder", holder_id="nobody").get("/v1/me/live").status_code


def test_a_callers_number_of_streams_is_limited(listen, http, issue, holder_of, eventually):
    """429 with Retry-After beyond the limit; a closed stream frees its place."""
    permit = issue()
    holder, path = holder_of(permit), f"/v1/me/live?min_position={permit['as_of_position']}"

    def is_refused():
        with http.stream("GET", path, headers=holder.headers) as answer:
            return answer.status_code == 429 and "retry-after" in answer.headers

    with ExitStack() as stack:
        streams = [stack.enter_context(listen(path, holder)) for _ in range(STREAMS_A_CALLER_MAX)]
        assert ["permit"] * STREAMS_A_CALLER_MAX == [next(heard)[0] for heard in streams]
        assert is_refused()
    eventually(lambda: not is_refused())


def test_a_head_is_answered_without_the_stream(http):
    """RFC 9110 §9.3.2: the same headers, and the response ends."""
    answer = http.head("/v1/live")

    assert (200, b"") == (answer.status_code, answer.content)


def test_streams_end_when_the_service_stops(battered, listen):
    """With an end event; the stop does not wait for clients."""
    with listen("/v1/live", of=battered) as heard:
        next(heard)
        battered.process.terminate()
        rest = [name for name, _ in heard]

    assert "end" == rest[-1]
    assert 0 == battered.process.wait(30)


def test_restrictions_and_erasures_are_not_told_to_everyone():
    """Of no stream type, in whatever number and version."""
    topics = [
        *(getattr(kind, name).TOPIC for kind in STREAM_TYPES for name in PROTECTION),
        "permit.holder-erased.v9",
    ]
    events = dict.fromkeys([*topics, PermitIssued.TOPIC], 100)

    counts = document(LiveSummary(200, 200, date(2026, 1, 5), events))["events_today"]

    assert {PermitIssued.TOPIC: 100} == counts
