"""Opened fields, judged by the verifier of evidence and by a second one, which was written from
docs/evidence.md in another language."""

import json
import random
from base64 import b64encode
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.crypto import envelope
from ledger.crypto.disclosures import digests_in
from ledger.crypto.envelope import Envelope
from tests.foreign.tools import node
from tests.foreign.verifiers import asked
from tests.ledger.sealing import KEY
from tools.verify_evidence import DAMAGED, NotProved, disclosed_fields, json_of

SCRIPT = Path(__file__).parent / "disclosures.js"
CASES, PLACE = 1_000, ("7Q2M9K4T8XW5", "2", "test.event.v1")
LETTERS = [*"abcXYZ0189 -'\"\\/<&", *"欧阳测试示例路號𠮷é\u0000\u001f\u007f\u2028\ufeff\n\r\t"]
NAMES = [
    "name",
    "sex",
    "address",
    "birth_date",
    "x-1",
    "Y2",
    "face_match",
    "kty",
    "crv",
    "guardian",
]


@dataclass(frozen=True)
class Opened:
    """An event's files, as far as they are about its opened fields."""

    entry: bytes
    details: bytes
    state: bytes
    disclosures: bytes

    @property
    def question(self):
        texts = {name: b64encode(content).decode() for name, content in vars(self).items()}
        return json.dumps(texts) + "\n"

    @property
    def lines(self):
        return self.disclosures.splitlines(keepends=True)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def recorded(state, disclosures):
    """With details and an entry that fit the stored bytes."""
    details = canonical({"position": 7, "salt": "00" * 16, "state": sha256(state).hexdigest()})
    entry = canonical({"commitment": sha256(details).hexdigest(), "position": 7})
    return Opened(entry, details, state, disclosures)


def text(chance):
    return "".join(chance.choices(LETTERS, k=chance.randrange(12)))


def value(chance, depth=0):
    """Any JSON; a float has the same digits in all languages, or is none."""
    kinds = [
        lambda: None,
        lambda: chance.random() < 0.5,
        lambda: chance.randrange(-(2**53), 2**53),
        lambda: chance.choice([0, -1, 0.5, -0.25, 97.125, 1e21, 1e-7, 0.1]),
        lambda: text(chance),
        dict,
        list,
    ]
    if depth < 3:
        kinds += [
            lambda: [value(chance, depth + 1) for _ in range(chance.randrange(4))],
            lambda: fields(chance, depth + 1),
        ]
    return chance.choice(kinds)()


def fields(chance, depth=0):
    names = chance.sample(NAMES, k=chance.randrange(1, len(NAMES)))
    return {name: value(chance, depth) for name in names}


def an_event(chance):
    """With some of its personal fields opened, at least one."""
    sealed = envelope.seal_disclosable(fields(chance), KEY, PLACE)
    own = Envelope.of(sealed).disclosures(KEY, PLACE)
    state = canonical({"actor": text(chance), "plain": fields(chance), envelope.FIELD: sealed})
    some = chance.sample(own, k=chance.randrange(1, len(own) + 1))
    return recorded(state, b"".join(each.text + b"\n" for each in some))


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def with_sealed(one, **members):
    """Recorded with another seal; ``None`` leaves a member out."""
    state = json.loads(one.state)
    state[envelope.FIELD] |= members
    kept = {name: each for name, each in state[envelope.FIELD].items() if each is not None}
    return recorded(canonical(state | {envelope.FIELD: kept}), one.disclosures)


def in_the_clear(one):
    """The same field beside its seal, from the beginning."""
    state = json.loads(one.state)
    name = json.loads(one.lines[0])[1].partition(".")[0]
    return recorded(canonical(state | {name: "x"}), one.disclosures)


def with_line(one, line):
    """One more line, which the stored bytes have a digest of."""
    digests = [*digests_in(json.loads(one.state)[envelope.FIELD]["digests"]), sha256(line).digest()]
    own = with_sealed(one, digests=b64encode(b"".join(sorted(digests))).decode())
    return replace(own, disclosures=own.disclosures + line + b"\n")


SALT = "0123456789abcdef" * 2
TAMPERED = {
    "salt": lambda one, _, chance: replace(
        one, disclosures=flipped(one.disclosures, chance.randrange(2, 34))
    ),
    "any bit": lambda one, _, chance: replace(
        one, disclosures=flipped(one.disclosures, chance.randrange(len(one.disclosures)))
    ),
    "of another event": lambda one, other, _: replace(
        one, disclosures=one.disclosures + other.lines[0]
    ),
    "of another event alone": lambda one, other, _: replace(one, disclosures=other.disclosures),
    "twice": lambda one, _, chance: replace(
        one, disclosures=one.disclosures + chance.choice(one.lines)
    ),
    "a space": lambda one, _, __: replace(one, disclosures=one.disclosures.replace(b",", b", ", 1)),
    "line ends": lambda one, _, __: replace(
        one, disclosures=one.disclosures.replace(b"\n", b"\r\n")
    ),
    "no line end": lambda one, _, __: replace(one, disclosures=one.disclosures[:-1]),
    "an empty line": lambda one, _, __: replace(one, disclosures=one.disclosures + b"\n"),
    "escaped": lambda one, _, __: replace(
        one, disclosures=b'["\\u%04x' % one.disclosures[2] + one.disclosures[3:]
    ),
    "digests of another event": lambda one, other, _: with_sealed(
        one, digests=json.loads(other.state)[envelope.FIELD]["digests"]
    ),
    "no digests": lambda one, _, __: with_sealed(one, digests=None),
    "digests that are none": lambda one, _, __: with_sealed(one, digests=[]),
    "in the clear": lambda one, _, __: in_the_clear(one),
    "two values of one field": lambda one, _, __: with_line(
        one, canonical([SALT, json.loads(one.lines[0])[1], "another"])
    ),
    "an object and a field in it": lambda one, _, __: with_line(
        one, canonical([SALT, json.loads(one.lines[0])[1] + ".more", 1])
    ),
    "a short salt": lambda one, _, __: with_line(one, canonical([SALT[2:], "more", 1])),
    "a salt in capitals": lambda one, _, __: with_line(one, canonical([SALT.upper(), "more", 1])),
    "no text for a salt": lambda one, _, __: with_line(one, canonical([7, "more", 1])),
    "no text for a name": lambda one, _, __: with_line(one, canonical([SALT, None, 1])),
    "a name that can't be seen": lambda one, _, __: with_line(
        one, canonical([SALT, "na\u200bme", 1])
    ),
    "a name with an empty part": lambda one, _, __: with_line(one, canonical([SALT, "more.", 1])),
    "four items": lambda one, _, __: with_line(one, canonical([SALT, "more", 1, 2])),
    "an object": lambda one, _, __: with_line(one, canonical({"0": SALT, "1": "more", "2": 1})),
    "no JSON": lambda one, _, __: with_line(one, b"more"),
}
"""From an event, another one, and chance. The last ones are recorded so: a service that lies from
the beginning."""


def accept(questions):
    """What the verifier of evidence finds in step 7."""
    found = []
    for one in questions:
        try:
            disclosed_fields(one.disclosures, json_of(one.state), "here")
        except (NotProved, *DAMAGED):
            found.append(False)
        else:
            found.append(True)
    return found


@pytest.fixture(scope="module")
def second():
    """``second(events)``: of each, whether the second verifier accepts it; in one process."""
    command = [node(), str(SCRIPT)]
    return lambda events: asked(command, (one.question for one in events))


@pytest.fixture(scope="module")
def events():
    chance = random.Random(33)  # noqa: S311  chance, not secrecy
    return [an_event(chance) for _ in range(CASES)]


def test_both_verifiers_accept_every_opened_field(second, events):
    """Of many kinds: null, texts of all scripts, numbers, objects in objects."""
    values = [json.loads(line)[2] for one in events for line in one.lines]

    assert {type(each) for each in values} == {type(None), bool, int, float, str, dict, list}
    assert {True} == set(accept(events))
    assert {True} == set(second(events))


def test_both_verifiers_refuse_each_that_was_tampered_with(second, events):
    """Each of the ways, on an event of its own."""
    chance = random.Random(34)  # noqa: S311
    ways = [*TAMPERED] * (CASES // len(TAMPERED))
    tampered = [
        TAMPERED[how](one, events[number - 1], chance)
        for number, (how, one) in enumerate(zip(ways, events, strict=True))
    ]

    assert len(tampered) == CASES
    assert [
        how for how, one, is_held in zip(ways, tampered, accept(tampered), strict=True) if is_held
    ] == []
    assert [how for how, is_held in zip(ways, second(tampered), strict=True) if is_held] == []


def test_the_second_verifier_refuses_stored_bytes_that_are_not_in_the_log(second, events):
    """The first does so in step 3, of the whole evidence."""
    one, other = events[:2]
    assert second([one, replace(one, state=other.state), replace(one, details=other.details)]) == [
        True,
        False,
        False,
    ]
