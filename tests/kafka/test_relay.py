"""The relay with a real broker, read by an independent client."""

import json
from contextlib import closing
from datetime import date

import orjson
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from consumers.contract.cloudevents import UNREADABLE_TYPE
from consumers.contract.kinds import PARTITIONS, PERMITS
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import connection
from domain.application import Application
from domain.permit_document import permit_document
from domain.person import Identity, Residence
from domain.standing import Facts, Standing
from ledger.commands.runner import Command
from ledger.database.connections import connect
from tests.kafka.growing import grow
from tests.kafka.reading import read, read_events, read_states, what_is_wrong
from tests.waiting import until

PERSONAL = {
    "name": "王小明",
    "citizen_id_number": "990000199001010017",
    "hukou_address": "江西省赣州市章贡区文清路一号",
    "address": "无锡市滨湖区蠡湖大道二号",
}


@pytest.fixture
def person(ledger, context):
    """The number of a permit whose holder's details are all known to the test."""
    application = Application(
        identity=Identity(
            name=PERSONAL["name"],
            sex="1",
            ethnicity="01",
            birth_date=date(1990, 1, 1),
            citizen_id_number=PERSONAL["citizen_id_number"],
            hukou_address=PERSONAL["hukou_address"],
        ),
        residence=Residence("320211", PERSONAL["address"]),
        residence_registered_on=date(2025, 1, 5),
        ground="employment",
        issued_on=date(2026, 1, 5),
    )
    ledger.permits.issue(application, Command(context))
    [number] = [event.originator_id for event in ledger.events(1, 1)]
    return number


def test_every_event_is_published_once_and_in_order(
    ledger, policy, relaying, until_relayed, kafka, prefix
):
    """Events from before the relay started, and events appended while it runs; of every kind, each
    on its topic."""
    grow(ledger, policy, applications_share=0.3)

    with relaying():
        until_relayed(ledger.head())
        head = grow(ledger, policy, applications_share=0.3)
        until_relayed(head)

    assert [] == what_is_wrong(read_events(kafka, prefix), head)


def test_it_resumes_where_the_topics_end(ledger, policy, relaying, until_relayed, kafka, prefix):
    for _ in range(3):
        head = grow(ledger, policy)
        with relaying():
            until_relayed(head)

    assert [] == what_is_wrong(read_events(kafka, prefix), head)


def test_a_cursor_behind_the_topics_repeats_nothing(
    ledger, policy, relaying, until_relayed, database_url, kafka, prefix
):
    """The process may die between the commit and the cursor's update; the topics decide."""
    first = grow(ledger, policy, 20)
    with relaying():
        until_relayed(first)
    second = grow(ledger, policy, 20)
    with relaying():
        until_relayed(second)
    with connect(database_url) as owner:
        owner.execute("UPDATE ledger.relay SET position = %s", [first])

    third = grow(ledger, policy, 20)
    with relaying():
        until_relayed(third)

    assert [] == what_is_wrong(read_events(kafka, prefix), third)


def test_two_relays_send_nothing_twice(ledger, policy, relaying, until_relayed, kafka, prefix):
    with relaying(), relaying():
        head = grow(ledger, policy)
        until_relayed(head)

    assert [] == what_is_wrong(read_events(kafka, prefix), head)


def test_the_topics_are_created_with_their_settings(relaying, kafka, prefix, relay_row):
    with relaying():
        until(lambda: relay_row().position is not None, wait_s=60)

    names = [prefix + topic for topic in PERMITS.topics]
    with closing(KafkaAdminClient(**connection(Brokers(kafka)))) as admin:
        described = admin.describe_topics(names)
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        settings = admin.describe_configs(asked, config_filter="all")["topic"]
    assert [PARTITIONS, PARTITIONS] == [len(topic["partitions"]) for topic in described]
    events, states = (settings[name] for name in names)
    assert "-1" == events["retention.ms"]["value"]
    assert ["delete", "compact"] == [each["cleanup.policy"]["value"] for each in (events, states)]


def test_nothing_personal_is_on_the_topics(
    ledger, person, context, relaying, until_relayed, kafka, prefix
):
    ledger.permits.void(person, f"{PERSONAL['name']} 的材料是伪造的", Command(context))
    head = ledger.head()

    with relaying():
        until_relayed(head)

    whole = json.dumps(
        [read(kafka, prefix + topic) for topic in PERMITS.topics], ensure_ascii=False
    )
    assert person in whole
    assert [] == [text for text in (*PERSONAL.values(), "伪造", "sealed", "box") if text in whole]


def test_the_published_state_equals_the_permit(
    ledger, policy, relaying, until_relayed, kafka, prefix, person, context
):
    ledger.permits.report_loss(person, Command(context))
    head = ledger.head()

    with relaying():
        until_relayed(head)

    state = read_states(kafka, prefix)[person]
    assert {
        "permit_number": person,
        "version": 2,
        "status": "in_force",
        "anchor": "2026-01-05",
        "valid_from": "2026-01-05",
        "valid_until": "2027-01-04",
        "endorsement_window": {"opens": "2026-12-05", "closes": "2027-01-04"},
        "endorsements": 0,
        "physical": {"card_serial": 1, "status": "reported_lost", "effective": False},
        "electronic": {
            "card_serial": 1,
            "status": "unclaimed",
            "effective": False,
            "devices": 0,
        },
        "personal_data": "held",
        "as_of_date": "2026-11-23",
        "as_of_position": head,
    } == {name: value for name, value in state.items() if name != "holder_id"}


def test_published_states_equal_those_of_the_ledger(
    ledger, policy, context, person, relaying, until_relayed, kafka, prefix
):
    """States folded without a key are compared with permits opened with theirs; a card stays in
    force after a correction of what it does not show."""
    ledger.permits.correct_identity(person, Command(context), hukou_address="江西省赣州市测试路2号")
    head = grow(ledger, policy)
    with relaying():
        until_relayed(head)
    states = read_states(kafka, prefix)

    assert len(states) > 50
    assert (2, True) == (states[person]["version"], states[person]["physical"]["effective"])
    for number, state in states.items():
        standing = Standing(
            Facts.of(ledger.permit(number)), date.fromisoformat(state["as_of_date"])
        )
        expected = orjson.loads(orjson.dumps(permit_document(standing)))
        assert expected == {
            name: value for name, value in state.items() if not name.startswith("as_of")
        }


def test_an_unreadable_event_stops_one_permit_and_no_other(
    ledger, policy, context, person, rewrite_log, relaying, until_relayed, kafka, prefix
):
    """A placeholder is published at its position, and the permit's state as unknown."""
    ledger.permits.report_loss(person, Command(context))
    rewrite_log(
        "UPDATE ledger.events SET state = %s WHERE stream = %s AND version = 2",
        [f'{{"who": "{PERSONAL["name"]}"}}'.encode(), person],
    )
    head = grow(ledger, policy, 20)

    with relaying():
        until_relayed(head)

    events = read_events(kafka, prefix)
    assert [] == what_is_wrong(events, head)
    placeholder = next(each for each in events if each.headers["ce_id"] == "2")
    assert (UNREADABLE_TYPE, "{}") == (placeholder.headers["ce_type"], placeholder.value)
    states = read_states(kafka, prefix)
    assert "undetermined" == states[person]["status"]
    assert ["undetermined"] == [
        each["status"] for each in states.values() if each["status"] == "undetermined"
    ]
