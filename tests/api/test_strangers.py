"""What strangers learn from all that is public, who have the numbers of permits and know all about
them but the salts: no permit can be linked with anything."""

import base64
import itertools
import json
import random
import re
from contextlib import suppress
from hashlib import sha256

import pytest

from tests.api.test_scopes import DEVELOPMENT, PUBLIC

LOGS = ("", "/checks", "/manifests", "/audit-reads")
NUMBERS = 10_000
WORD = re.compile(rb"[A-Za-z0-9+/_=-]{12,}")


@pytest.fixture
def lives(issue, act, check, look, registrar):
    """``{number: details of its entries}``: permits to which something has happened."""
    permits = [issue() for _ in range(8)]
    numbers = [permit["permit_number"] for permit in permits]
    for permit, number in zip(permits[::2], numbers[::2], strict=True):
        act(number, "loss-reports")
        check(number)
        look(permit, "events")
    return {
        number: [
            json.loads(entry["details"])
            for entry in registrar.get(f"/v1/permits/{number}/log-entries").json()["entries"]
        ]
        for number in numbers
    }


@pytest.fixture
def public_answers(http):
    """``public_answers(until)``: all that is answered without a token, and each proof and entry up
    to that position."""

    def answered(path):
        answer = http.get(path, headers={"prefer": "wait=10"} if "proof" in path else {})
        return [f"{name}: {value}".encode() for name, value in answer.headers.items()] + [
            answer.content if answer.status_code == 200 else b""
        ]

    def public_answers(until):
        found = answered(f"/tlog/proof/{until}")  # waited for: all are in the tree then
        for method, path in PUBLIC - DEVELOPMENT:
            if method == "get" and "{" not in path and not path.endswith("/live"):
                found += answered(path)
        for name in http.get("/v1/stats").json().get("files", []):
            found += answered(f"/v1/stats/files/{name}")
        for log in LOGS:
            size = int(http.get(f"/tlog{log}/checkpoint").text.split("\n")[1])
            for position in range(1, min(size, until) + 1):
                found += answered(f"/tlog{log}/proof/{position}")
            for kind, bundle in itertools.product(("0", "1", "entries"), range(size // 256 + 1)):
                width = min(size - bundle * 256, 256)
                partial = f".p/{width}" if width < 256 else ""
                found += answered(f"/tlog{log}/tile/{kind}/{bundle:03d}{partial}")
        return b"\n".join(found)

    return public_answers


def decoded(public):
    """The same with all that is hexadecimal or Base64 in it as bytes."""
    found = [public]
    for word in set(WORD.findall(public)):
        with suppress(ValueError):
            found.append(bytes.fromhex(word.decode()))
        with suppress(ValueError):
            found.append(base64.b64decode(word + b"=" * (-len(word) % 4), altchars=b"-_"))
        with suppress(ValueError):
            found.append(base64.b64decode(word + b"=" * (-len(word) % 4)))
    return b"\0".join(found)


def canonical(details):
    return json.dumps(details, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def guesses(details):
    """What is to be looked for by those who know all of an entry's details but the salt."""
    plain = {name: value for name, value in details.items() if name != "salt"}
    for guess in (plain, {**plain, "salt": None}, {**plain, "salt": "00" * 16}):
        text = canonical(guess)
        yield from (sha256(text).digest(), sha256(b"\0" + text).digest())
    yield bytes.fromhex(details["state"])
    if details["sealed"]:
        yield bytes.fromhex(details["sealed"])
    key = sha256(details["stream"].encode()).digest()
    yield from (key, sha256(b"\0" + key).digest())


def test_no_permit_can_be_linked_with_anything_that_is_public(lives, public_answers):
    """Not its number nor a digest of it, not an entry of it by all that can be known or guessed."""
    last = max(details["position"] for life in lives.values() for details in life)
    public = public_answers(last)
    seen = decoded(public)
    chance = random.Random(20261130)  # noqa: S311  chance, not secrecy
    alphabet = "".join(sorted({each for number in lives for each in number}))
    numbers = {*lives, *("".join(chance.choices(alphabet, k=12)) for _ in range(NUMBERS))}

    for number in numbers:
        text = number.encode()
        assert text not in seen
        assert sha256(text).digest() not in seen
    for details in itertools.chain(*lives.values()):
        assert sha256(canonical(details)).digest() in seen  # what is sought would be found
        assert not [guess for guess in guesses(details) if guess in seen]


def test_entries_differ_in_nothing_but_the_commitment(lives, http):
    """Not in their length either, by which a kind of event might be told."""
    last = max(details["position"] for life in lives.values() for details in life)
    http.get(f"/tlog/proof/{last}", headers={"prefer": "wait=10"})
    size = int(http.get("/tlog/checkpoint").text.split("\n")[1])
    width = min(size, 256)
    bundle = http.get(f"/tlog/tile/entries/000{f'.p/{width}' if width < 256 else ''}").content
    shapes, at = set(), 0
    for position in range(1, width + 1):
        length = int.from_bytes(bundle[at : at + 2])
        entry = bundle[at + 2 : at + 2 + length].decode()
        shapes.add(re.sub(rf"[0-9a-f]{{64}}|\b{position}\b", "*", entry))
        at += 2 + length

    assert {'{"commitment":"*","position":*}'} == shapes
