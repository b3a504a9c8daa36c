"""What the tree says of an event, whatever is stored of it.

``python -m tests.transparency.test_entries`` writes the golden vectors, which are made of what
docs/transparency.md says and nothing else.
"""

import hashlib
import json
from base64 import b64decode
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from ledger.errors import Corrupt
from transparency.entries import (
    ENTRY_BYTES_MAX,
    Recorded,
    audit_read_details,
    audit_read_entry,
    bundled,
    check_details,
    check_entry,
    event_entry,
    is_commitment,
)
from transparency.last_events import LastEvent, key_of
from transparency.merkle import leaf_hash

GOLDEN = Path(__file__).parent / "golden" / "entries.json"

STATE = b'{"timestamp":"2026-11-23T02:00:00+00:00","sealed":{"box":"AAEC"}}'


SALT = bytes(range(16))


def entry(state=STATE, stream="7Q2M9K4T8XW5", topic="permit.issued.v1"):
    """Of format 1, which are the details too."""
    return event_entry(7, stream, 2, topic, state, None, bytes(32))


def test_an_entry_is_canonical():
    """Members sorted, no spaces; the state and the ciphertext as their digests."""
    assert (
        b'{"position":7,"previous":"' + b"00" * 32 + b'","recorded_at":"2026-11-23T02:00:00+00:00",'
        b'"sealed":"ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc",'
        b'"state":"b8bb7e0e19bb6e6ff9bf1e7a6fbd6ea3b3a7bca4d4ca95b5b7b1ddd9bcd5e3b1",'
        b'"stream":"7Q2M9K4T8XW5","topic":"permit.issued.v1","version":2}'
    )[:150] == entry()[:150]


def test_an_entry_commits_to_its_details():
    """And says nothing else; the salt is the last but three of the details' members."""
    event = Recorded.of(7, "7Q2M9K4T8XW5", 2, "permit.issued.v1", STATE, SALT, bytes(32))
    salted = b'"salt":"000102030405060708090a0b0c0d0e0f",'
    at = entry().index(b'"sealed"')

    assert entry()[:at] + salted + entry()[at:] == event.details
    digest = hashlib.sha256(event.details).hexdigest()
    assert b'{"commitment":"%s","position":7}' % digest.encode() == event.entry
    assert is_commitment(event.entry)
    assert not is_commitment(entry())


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'{"timestamp":7,"sealed":7}',
        b'{"timestamp":"\\ud800","sealed":{"box":"AAEC"}}',
        b'{"timestamp":"' + b"x" * 65 + b'","sealed":{"box":"no base64"}}',
        '{"timestamp":null,"sealed":{"box":"é"}}'.encode(),
        b'{"timestamp":1e999}',
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b'{"a":"' + b"x" * 1_000_000 + b'"}',
    ],
    ids=range(12),
)
def test_an_unreadable_state_still_has_an_entry(state):
    """Its fields are null, its digest is present."""
    said = orjson.loads(entry(state))
    assert (None, None) == (said["recorded_at"], said["sealed"])
    assert 64 == len(said["state"])


@pytest.mark.parametrize("character", ["x", "\x01", "居", "😀"])
def test_no_entry_is_too_long_to_be_served(character):
    """A name that is longer than any is there as its digest, and never taken for another."""
    longest = entry(stream=character * 1024, topic=character * 1024)
    longer = entry(stream=character * 100_000, topic=character * 100_000)
    assert ENTRY_BYTES_MAX >= max(len(longest), len(longer))
    assert character * 1024 == orjson.loads(longest)["stream"]
    assert {"sha256"} == set(orjson.loads(longer)["topic"])
    assert longer != entry(stream=character * 100_001, topic=character * 100_000)


def test_a_bundle_has_room_for_no_more():
    with pytest.raises(Corrupt):
        bundled([bytes(ENTRY_BYTES_MAX + 1)])
    assert b"\xff\xff" == bundled([bytes(ENTRY_BYTES_MAX)])[:2]


# -- golden vectors ----------------------------------------------------------------------------


def golden():
    """Rows as they are stored, and what is made of them."""
    state = STATE.decode()
    event = {
        "position": 77,
        "stream": "7Q2M9K4T8XW5",
        "version": 2,
        "topic": "permit.issued.v1",
        "state": state,
        "salt": SALT.hex(),
        "previous": "11" * 32,
    }
    check = {
        "position": 17,
        "check_id": "00000000-0000-4000-8000-000000000017",
        "state": '{"track":"physical"}',
        "salt": SALT.hex(),
    }
    look = {
        "case": "2026-DP-17",
        "correlation_id": "居",
        "outcome": "answered",
        "parameters": {"after": "3"},
        "position": 5,
        "read_at": "2026-11-23T02:00:00.000000Z",
        "read_id": "00000000-0000-4000-8000-000000000005",
        "reader": "investigator-1",
        "salt": SALT.hex(),
        "subject": None,
        "what": "events",
    }
    ciphertext = b64decode(json.loads(state)["sealed"]["box"])
    details = event | {
        "state": _sha256(state.encode()),
        "recorded_at": json.loads(state)["timestamp"],
        "sealed": _sha256(ciphertext),
    }
    committed = _committed(details)
    last = {"last_leaf": committed["leaf"], "last_version": 2, "salt": SALT.hex()}
    return {
        "event": {"row": event, **committed},
        "check": {"row": check, **_committed(check | {"state": _sha256(check["state"].encode())})},
        "audit_read": {"row": look, **_committed(look)},
        "last_event": {
            "stream": event["stream"],
            "key": _sha256(event["stream"].encode()),
            "row": _canonical(last),
            "value": _sha256(_canonical(last).encode()),
        },
    }


def _committed(details):
    text = _canonical(details)
    commitment = _sha256(text.encode())
    entry = _canonical({"commitment": commitment, "position": details["position"]})
    return {"details": text, "entry": entry, "leaf": _sha256(b"\0" + entry.encode())}


def _canonical(members):
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _sha256(of):
    return hashlib.sha256(of).hexdigest()


def test_the_golden_vectors():
    """They do not change, and ours agrees with them."""
    vectors = json.loads(GOLDEN.read_text("utf-8"))
    assert golden() == vectors

    row = vectors["event"]["row"]
    event = Recorded.of(
        row["position"],
        row["stream"],
        row["version"],
        row["topic"],
        row["state"].encode(),
        SALT,
        bytes.fromhex(row["previous"]),
    )
    assert _told(event.details, event.entry) == _of(vectors["event"])

    row = vectors["check"]["row"]
    check = (row["position"], UUID(row["check_id"]), row["state"].encode(), SALT)
    assert _told(check_details(*check), check_entry(*check)) == _of(vectors["check"])

    row = vectors["audit_read"]["row"]
    look = (row["position"], row["read_id"], row["read_at"], row["reader"], row["case"])
    more = (row["what"], row["subject"], json.dumps(row["parameters"]), row["outcome"])
    look = (*look, *more, row["correlation_id"])
    told = _told(audit_read_details(*look, salt=SALT), audit_read_entry(*look, salt=SALT))
    assert told == _of(vectors["audit_read"])

    last = LastEvent(2, event.leaf, SALT)
    assert vectors["last_event"] == {
        "stream": event.stream,
        "key": key_of(event.stream).hex(),
        "row": last.row.decode(),
        "value": last.value.hex(),
    }


def _told(details, entry):
    return details.decode(), entry.decode(), leaf_hash(entry).hex()


def _of(vector):
    return vector["details"], vector["entry"], vector["leaf"]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), ensure_ascii=False, indent=1) + "\n", "utf-8")
