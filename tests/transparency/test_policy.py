"""The policy of C2SP tlog-policy, line by line, and which signatures its quorum accepts."""

import itertools

import pytest

from tests.transparency.cosigning import Cosigner, cosigner
from transparency.notes import Note, NoteSigner, TreeHead
from transparency.witness.policy import LINES_OF_A_KIND_MAX, BadPolicy, WitnessPolicy

X1, X2, X3, Y1, Y2 = (cosigner(number) for number in range(1, 6))
LOG = NoteSigner("log.example", bytes(32))
OTHER_LOG = NoteSigner("log.example/2", bytes([9]) * 32)
TEXT = str(TreeHead("log.example", 7, bytes(32)))

EXAMPLE = f"""\
# two organisations
log {LOG.verifier} https://log.example/tlog

witness X1 {X1.vkey} https://x1.example/
  witness\tX2   {X2.vkey}\t
witness X3 {X3.vkey}
group X-witnesses 2 X1 X2 X3
\t# the press
witness Y1 {Y1.vkey}
witness Y2 {Y2.vkey}
group Y-witnesses any Y1 Y2
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def policy(text: str) -> WitnessPolicy:
    return WitnessPolicy.of(text.encode())


def signed(*cosigners: Cosigner, text: str = TEXT) -> Note:
    return Note(text, (LOG.sign(text), *(each.sign(text) for each in cosigners)))


@pytest.mark.parametrize(
    "signing",
    [subset for size in range(6) for subset in itertools.combinations([X1, X2, X3, Y1, Y2], size)],
    ids=lambda subset: "+".join(each.name[-2:] for each in subset) or "nobody",
)
def test_two_of_three_and_one_of_two(signing: tuple[Cosigner, ...]) -> None:
    """The specification's example, for every set of witnesses that may have signed."""
    xs, ys = len({X1, X2, X3} & set(signing)), len({Y1, Y2} & set(signing))
    assert (xs >= 2 and ys >= 1) == policy(EXAMPLE).is_witnessed(signed(*signing))


def test_a_single_witness_may_be_the_quorum() -> None:
    """No group is needed for one."""
    one = policy(f"witness w {X1.vkey}\nquorum w\n")
    assert one.is_witnessed(signed(X1))
    assert not one.is_witnessed(signed(X2))


def test_quorum_none_needs_no_witness() -> None:
    """The log's own signature suffices."""
    assert policy("quorum none\n").is_witnessed(signed())


def test_only_a_valid_signature_counts() -> None:
    """A cosignature of another text, or with another time than was signed, does not count; a valid
    one beside it does."""
    one = policy(f"witness w {X1.vkey}\nquorum w\n")
    of_another = X1.sign(str(TreeHead("log.example", 8, bytes(32))))
    true = X1.sign(TEXT)
    shifted = true._replace(value=bytes(8) + true.value[8:])
    cut = true._replace(value=true.value[:20])
    for false in (of_another, shifted, cut):
        assert not one.is_witnessed(Note(TEXT, (false,)))
        assert one.is_witnessed(Note(TEXT, (false, true)))


def test_a_key_s_name_is_part_of_it() -> None:
    """The same public key under another name is another witness."""
    one = policy(f"witness w {X1.vkey}\nquorum w\n")
    assert not one.is_witnessed(signed(Cosigner("other.example", X1.seed)))


def test_the_published_policy_is_equivalent() -> None:
    """The text that the service publishes is parsed to the same policy."""
    first = policy(EXAMPLE)
    again = policy(first.of_logs(first.logs))
    assert first == again


def test_names_are_bytes() -> None:
    """A Kelvin sign is no K, and what is no UTF-8 is a name too."""
    for name in (b"K", "\u212a".encode(), b"\xff\xfe", "见证".encode()):
        found = WitnessPolicy.of(
            b"witness " + name + b" " + X1.vkey.encode() + b"\nquorum " + name + b"\n"
        )
        assert found.is_witnessed(signed(X1))
    with pytest.raises(BadPolicy, match="quorum"):
        policy(f"witness K {X1.vkey}\nquorum \u212a\n")


def test_thirty_two_of_each_are_read() -> None:
    """As many logs, witnesses and groups as the specification asks for."""
    logs = [NoteSigner(f"log{n}", bytes([n]) * 32).verifier for n in range(32)]
    lines = [f"log {key}" for key in logs]
    lines += [f"witness w{n} {cosigner(n).vkey}" for n in range(32)]
    lines += [f"group g{n} any w{n}" for n in range(32)]
    found = policy("\n".join([*lines, "quorum g31", ""]))
    assert (32, 32, 32) == (len(found.logs), len(found.witnesses), len(found.groups))


W = f"witness w {X1.vkey}\nwitness v {X2.vkey}\n"


REFUSED = {
    "empty": ("", "no quorum"),
    "no quorum": (W, "no quorum"),
    "two quorums": ("quorum none\nquorum none\n", "line 2"),
    "quorum of two": (W + "quorum w v\n", "line 3"),
    "quorum of nothing": ("quorum\n", "line 1"),
    "quorum not defined": ("quorum w\n", "line 1"),
    "quorum before its definition": ("quorum w\n" + W, "line 1"),
    "unknown word": ("Quorum none\n", "line 1"),
    "comment after a line": ("quorum none # so\n", "line 1"),
    "not ended": ("quorum none", "not ended"),
    "carriage return": ("quorum none\r\n", "control"),
    "nul": ("quorum none\n\0\n", "control"),
    "delete": ("quorum none\n# \x7f\n", "control"),
    "other blanks": ("quorum\u00a0none\n", "line 1"),
    "log without a key": ("log\nquorum none\n", "line 1"),
    "log with too much": (f"log {LOG.verifier} https://a https://b\nquorum none\n", "line 1"),
    "log twice": (f"log {LOG.verifier}\nlog {LOG.verifier}\nquorum none\n", "line 2"),
    "log under another name": (
        f"log {LOG.verifier}\nlog {NoteSigner('b', LOG.seed).verifier}\nquorum none\n",
        "line 2",
    ),
    "log with a witness's key": (f"log {X1.vkey}\nquorum none\n", "line 1"),
    "witness with a log's key": (f"witness w {LOG.verifier}\nquorum w\n", "line 1"),
    "witness without a key": ("witness w\nquorum none\n", "line 1"),
    "witness with no key": ("witness w k\nquorum none\n", "line 1"),
    "witness with a false id": (f"witness w {X1.vkey.replace('+', '+0', 1)}\n", "line 1"),
    "witness with too much": (f"witness w {X1.vkey} http://a b\n", "line 1"),
    "witness twice": (f"witness w {X1.vkey}\nwitness v {X1.vkey}\n", "line 2"),
    "witness under another name": (
        f"witness w {X1.vkey}\nwitness v {cosigner(1, 'other').vkey}\n",
        "line 2",
    ),
    "name twice": (f"witness w {X1.vkey}\nwitness w {X2.vkey}\n", "line 2"),
    "name of a witness for a group": (W + "group w any v\n", "line 3"),
    "called none": (f"witness none {X1.vkey}\n", "line 1"),
    "group called none": (W + "group none any w\n", "line 3"),
    "group without members": (W + "group g any\n", "line 3"),
    "group of none": (W + "group g any none\n", "line 3"),
    "group of itself": (W + "group g any g\n", "line 3"),
    "group of who comes later": (f"group g any w\n{W}", "line 1"),
    "group with one member twice": (W + "group g any w w\n", "line 3"),
    "member of two groups": (W + "group g any w\ngroup h any w\n", "line 4"),
    "group of more than all": (W + "group g 3 w v\n", "line 3"),
    "group of 0": (W + "group g 0 w v\n", "line 3"),
    "group of 01": (W + "group g 01 w v\n", "line 3"),
    "group of -1": (W + "group g -1 w v\n", "line 3"),
    "group of ٢": (W + "group g ٢ w v\n", "line 3"),
    "group of Any": (W + "group g Any w v\n", "line 3"),
    "address of a file": (f"witness w {X1.vkey} file:///etc/hosts\n", "line 1"),
    "address with a password": (f"witness w {X1.vkey} http://a:b@c/\n", "line 1"),
    "too many": (
        "".join(f"witness w{n} {cosigner(n).vkey}\n" for n in range(LINES_OF_A_KIND_MAX + 1)),
        f"line {LINES_OF_A_KIND_MAX + 1}",
    ),
    "too large": ("#" * 300_000 + "\nquorum none\n", "large"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_policy_is_refused(text: str, said: str) -> None:
    """The message names the line."""
    with pytest.raises(BadPolicy, match=said):
        policy(text)
