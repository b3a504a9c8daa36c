"""A permit with more events than were ever thought of: every read of the audit answers."""

import asyncio
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import httpx
import pytest

from domain.context import CommandContext
from domain.device import Device, FaceMatch
from ledger.commands.blocking import BlockingLedger
from ledger.commands.bulk import BulkAppender
from permit_ledger.bootstrap.policy import load_policy
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import Settings
from tests.api.conftest import free_port
from tests.api.phones import claim
from tests.api.service import Service, audit_path

EVENTS = 10_500
"""The audit used to give up at 10,000."""
EVENTS_PROVED = 500
PAIRS_AT_ONCE = 250
FREE = replace(
    load_policy(synthetic_people=True),
    devices_bound_per_day_max=1_000_000,
    events_per_account_and_day_max=1_000_000,
)
MATCH = FaceMatch.unsigned("test", 0.97, matched=True)


@pytest.fixture(scope="module")
def service(make_service_dir):
    """A service of this module's own, so that the others keep short histories."""
    service = Service(make_service_dir(), free_port()).start()
    yield service
    service.end()


@pytest.fixture(scope="module")
def long_permit(service, application):
    """``long_permit(events)``: a holder has bound and revoked a phone again and again, before the
    policy bounded that."""

    def make(events):
        issued = service.caller("registrar").post("/v1/permits", application())
        assert 201 == issued.status_code, issued.text
        settings = Settings(data_dir=service.data_dir, development=True)
        with closing(
            BlockingLedger(
                service.database_url,
                blind_index=keys.blind_index(settings),
                keyring=keyring(settings),
            )
        ) as ledger:
            grow(ledger, issued.json()["permit_number"], events)
        return issued.json()

    return make


@pytest.fixture(scope="module")
def permit(long_permit):
    return long_permit(EVENTS)


def grow(ledger, number, events):
    permit, at = ledger.permit(number), datetime.now(UTC)
    with BulkAppender(ledger) as bulk:
        for n in range(events // 2):
            context = CommandContext(permit.holder_id, None, "test", at + timedelta(0, n), FREE)
            device = Device(f"phone-{n}", {"kty": "EC"})
            permit.claim(device, MATCH, confirmed=True, context=context)
            permit.revoke_device(device.thumbprint, context)
            if n % PAIRS_AT_ONCE == 0:
                bulk.add(permit)
        bulk.add(permit)


@pytest.fixture
def investigator(service):
    caller = service.caller("investigator", case="2026-L-1")
    caller.http.timeout = httpx.Timeout(120)
    return caller


def test_the_history_is_read_in_pages_to_its_end(investigator, permit):
    """By the cursor of a page, from any version; the last page has no further one."""
    path = audit_path(permit, "events")

    first = investigator.get(path, limit=200)
    last = investigator.get(path, limit=200, after=EVENTS + 1 - 150)

    assert list(range(1, 201)) == [one["version"] for one in first.json()["events"]]
    assert f'<{path}?limit=200&after=200>; rel="next"' == first.headers["Link"]
    assert EVENTS + 1 == last.json()["events"][-1]["version"]
    assert None is last.json()["next_after"]
    assert "Link" not in last.headers
    assert [] == last.json()["missing_versions"]
    [change] = [
        each
        for each in last.json()["events"][-1]["changes"]
        if each["field"] == "electronic.device_keys"
    ]
    assert ([f"phone-{EVENTS // 2 - 1}"], []) == (change["from"], change["to"])


@pytest.mark.parametrize("what", ["state", "timeline", "checks", "registrar-reads"])
def test_every_other_read_answers_and_is_recorded(service, investigator, permit, what):
    answer = investigator.get(audit_path(permit, what))

    assert 200 == answer.status_code, answer.text[:500]
    assert (what.replace("-", "_"), "answered") == last_read(service)


def test_evidence_of_many_pages_answers_and_is_recorded(service, investigator, long_permit):
    """Of fewer events, since each gets a proof."""
    answer = investigator.get(audit_path(long_permit(EVENTS_PROVED), "evidence"))

    assert 200 == answer.status_code, answer.text[:500]
    assert ("evidence", "answered") == last_read(service)
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        states = [name for name in archive.namelist() if name.startswith("states/")]
    assert EVENTS_PROVED + 1 == len(states)


def last_read(service):
    [found] = service.rows(
        "SELECT what, outcome FROM ledger.audit_reads ORDER BY position DESC LIMIT 1"
    )
    return found


def test_the_marks_of_a_timeline_are_in_pages(investigator, permit):
    """A bounded number in one answer."""
    path = audit_path(permit, "timeline")
    seen, after = [], 0
    while after is not None:
        found = investigator.get(path, after=after).json()
        assert 1 <= len(found["marks"]) <= 1_000
        seen += [one["version"] for one in found["marks"]]
        after = found["next_after"]

    assert list(range(1, EVENTS + 2)) == seen


@pytest.mark.parametrize("what", ["events", "state", "timeline", "checks"])
def test_other_requests_have_their_turn_meanwhile(service, investigator, permit, what):
    """A long history does not hold up the process."""
    parameters = {"after": EVENTS - 100} if what in {"events", "timeline"} else {}

    async def longest_wait_s():
        headers, waits = investigator.headers, []
        async with httpx.AsyncClient(base_url=service.url, timeout=120) as http:
            path = audit_path(permit, what)
            reading = asyncio.create_task(http.get(path, params=parameters, headers=headers))
            while not reading.done():
                began = asyncio.get_running_loop().time()
                await http.get("/healthz")
                waits.append(asyncio.get_running_loop().time() - began)
                await asyncio.sleep(0.01)
            assert 200 == (await reading).status_code
        return max(waits)

    assert asyncio.run(longest_wait_s()) < 2


def test_a_holder_cannot_make_the_history_grow_without_limit(service, application):
    """By the policy, ten phones in a day."""
    registrar = service.caller("registrar")
    permit = registrar.post("/v1/permits", application()).json()
    holder = service.caller("holder", holder_id=permit["holder_id"])
    number = permit["permit_number"]
    revocations = f"/v1/permits/{number}/electronic/device-revocations"

    for _ in range(10):
        assert 201 == claim(holder, number).status_code
        [phone] = holder.get("/v1/me/devices").json()["devices"]
        assert 200 == holder.post(revocations, {"device": phone["device"]}).status_code
    refused = claim(holder, number)

    assert (409, "TOO_MANY_DEVICES_TODAY") == (refused.status_code, refused.json()["code"])
    assert 21 == registrar.get(f"/v1/permits/{number}").json()["version"]


def test_one_account_reads_few_whole_histories_at_once(together, investigator, permit):
    """Each holds all events; what is beyond the places of an account is 429."""
    statuses = {
        answer.status_code
        for answer in together(10, lambda _: investigator.get(audit_path(permit, "state")))
    }

    assert {200, 429} == statuses
    assert 200 == investigator.get(audit_path(permit, "state")).status_code
