"""Keys in a token: they never leave it, and its failures are distinguished."""

import multiprocessing
import traceback
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag

from ledger.errors import KeyUnusable, LedgerError, Unavailable
from permit_ledger.keys.key_encryption import library
from permit_ledger.keys.key_encryption.pkcs11 import Pkcs11Store

KEY = bytes(range(32))
PROCESSES = 3
WRONG_PIN = "wrong-pin-0815"


@pytest.fixture
def store(soft_token, key_label):
    return Pkcs11Store(soft_token.uri(key_label))


@pytest.fixture
def session(soft_token):
    """Another user's session, in the same process."""
    soft_token.log_out()
    [token] = pkcs11.lib(soft_token.module).get_tokens(token_label=soft_token.label)
    session = token.open(rw=True, user_pin=soft_token.pin)
    yield session
    soft_token.log_out()


@pytest.fixture
def another_pin(soft_token):
    """For the time of the test, in a process without a login."""

    def another(pin):
        soft_token.log_out()
        soft_token.pin_file.write_text(pin, encoding="utf-8")

    yield another
    another(f"{soft_token.pin}\n")


@pytest.fixture
def unplug(soft_token):
    """Takes the token away, and puts it back."""
    tokens = soft_token.folder / "tokens"
    aside = soft_token.folder / "aside"

    def unplug():
        tokens.rename(aside)
        tokens.mkdir()
        restart(soft_token)

    def plug():
        tokens.rmdir()
        aside.rename(tokens)

    yield unplug, plug
    if aside.exists():
        plug()
    soft_token.log_out()


def restart(soft_token):
    """The module loses its sessions, unknown to any store."""
    module = pkcs11.lib(soft_token.module)
    module.finalize()
    module.initialize()


def in_a_child(act, *arguments):
    """What ``act`` gives in a forked process, which shares the module's memory and no session."""
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=lambda: answers.put(act(*arguments)))
    child.start()
    answer = answers.get(timeout=30)
    child.join(30)
    return answer


def test_a_key_does_not_leave_the_token(store, session, key_label):
    """A logged-in session can use it, not read it."""
    kek_id = store.create().kek_id
    [found] = session.get_objects({Attribute.LABEL: key_label})

    with pytest.raises(pkcs11.AttributeSensitive):
        _ = found[Attribute.VALUE]
    assert kek_id.encode() == found[Attribute.ID]
    assert (True, False) == (found[Attribute.SENSITIVE], found[Attribute.EXTRACTABLE])
    assert (True, True) == (found[Attribute.TOKEN], found[Attribute.PRIVATE])
    assert (KeyType.AES, 32) == (found[Attribute.KEY_TYPE], found[Attribute.VALUE_LEN])
    with pytest.raises(pkcs11.PKCS11Error):
        found[Attribute.EXTRACTABLE] = True


@pytest.mark.parametrize(
    ("changed", "reported"),
    [
        ({"template": {Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: True}}, "EXTRACTABLE"),
        ({"template": {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: False}}, "SENSITIVE"),
        ({"key_length": 128}, "VALUE_LEN"),
        ({"id": b"\xff\x00"}, "CKA_ID"),
    ],
    ids=["extractable", "not sensitive", "AES-128", "another name"],
)
def test_a_key_made_otherwise_is_refused(soft_token, session, key_label, changed, reported):
    """By hand, say: it would be trusted for more than it keeps."""
    made = {
        "key_type": KeyType.AES,
        "key_length": 256,
        "id": b"20261123T214500Z-3fa9c1",
        "label": key_label,
        "store": True,
        "capabilities": MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
        "template": {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True},
    }
    session.generate_key(**{**made, **changed})

    with pytest.raises(KeyUnusable, match=reported):
        Pkcs11Store(soft_token.uri(key_label)).load()


def test_labels_are_stores_of_their_own(soft_token, store, key_label):
    """Two ledgers may share a token."""
    [kek] = store.load()
    [other] = Pkcs11Store(soft_token.uri(f"{key_label}-other")).load()

    assert kek.kek_id != other.kek_id
    with pytest.raises(KeyUnusable):
        other.unwrap(kek.wrap(KEY, "holder"), "holder")


def test_a_lost_session_is_opened_again(soft_token, store):
    """The module was initialised again meanwhile, without an effect on callers."""
    [kek] = store.load()
    wrapped = kek.wrap(KEY, "holder")
    restart(soft_token)

    assert KEY == kek.unwrap(wrapped, "holder")
    restart(soft_token)
    assert KEY == kek.unwrap(kek.wrap(KEY, "holder"), "holder")
    restart(soft_token)
    with pytest.raises(KeyUnusable):
        kek.unwrap(wrapped, "other")
    restart(soft_token)
    assert 2 == len([store.create(), *store.load()][1:])
    restart(soft_token)
    store.destroy(kek.kek_id)
    assert kek.kek_id not in {each.kek_id for each in store.load()}


def test_a_removed_token_works_again_when_it_is_back(store, unplug):
    """Meanwhile nothing is known to be wrong with any key."""
    take_away, put_back = unplug
    [kek] = store.load()
    wrapped = kek.wrap(KEY, "holder")

    take_away()
    for act in (store.load, store.create, lambda: kek.unwrap(wrapped, "holder")):
        with pytest.raises(Unavailable):
            act()
    put_back()
    assert KEY == kek.unwrap(wrapped, "holder")


def test_a_child_process_logs_in_for_itself(store):
    """The sessions before the fork are its parent's."""
    [kek] = store.load()
    wrapped = kek.wrap(KEY, "holder")

    assert KEY == in_a_child(kek.unwrap, wrapped, "holder")
    assert KEY == kek.unwrap(wrapped, "holder")


def test_a_child_process_does_not_wait_for_its_parents_threads(soft_token, store):
    """It was forked while one of them was in a call that only the parent sees come back."""
    [kek] = store.load()
    wrapped = kek.wrap(KEY, "holder")

    with library.library(soft_token.module).held():
        assert KEY == in_a_child(kek.unwrap, wrapped, "holder")


def test_a_key_destroyed_by_another_process_is_gone(store):
    """Also for who has used it a moment ago."""
    [kek] = store.load()
    wrapped = kek.wrap(KEY, "holder")
    in_a_child(store.destroy, kek.kek_id)

    with pytest.raises(KeyUnusable, match=kek.kek_id):
        kek.unwrap(wrapped, "holder")
    with pytest.raises(KeyUnusable, match=kek.kek_id):
        kek.wrap(KEY, "holder")


def test_processes_that_start_together_have_one_key(store):
    """Those that share a pin file: one makes it, the others wait."""
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()

    def start():
        barrier.wait(30)
        [kek] = store.load()
        answers.put((kek.kek_id, kek.wrap(KEY, "holder")))

    processes = [context.Process(target=start) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    reported = [answers.get(timeout=30) for _ in processes]
    for process in processes:
        process.join(30)

    [kek] = store.load()
    assert {kek.kek_id} == {kek_id for kek_id, _ in reported}
    assert all(KEY == kek.unwrap(wrapped, "holder") for _, wrapped in reported)


def test_a_wrong_pin_is_tried_once(soft_token, key_label, another_pin):
    """Tokens lock up after a few; with another pin in the file it is tried again."""
    store = Pkcs11Store(soft_token.uri(key_label))
    another_pin(WRONG_PIN)
    with pytest.raises(KeyUnusable, match="PinIncorrect"):
        store.load()
    with pytest.raises(KeyUnusable, match="still holds"):
        store.load()
    another_pin(soft_token.pin)

    assert 1 == len(store.load())


@pytest.mark.parametrize("content", ["", "\n", "\udcff"], ids=["nothing", "a line", "no UTF-8"])
def test_a_file_without_a_pin_is_named(soft_token, key_label, another_pin, content):
    """A secret that was mounted empty."""
    another_pin("")
    soft_token.pin_file.write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(KeyUnusable, match=str(soft_token.pin_file)):
        Pkcs11Store(soft_token.uri(key_label)).load()


@pytest.mark.parametrize(
    ("changed", "reported"),
    [
        ({"token": "another"}, "no token another"),
        ({"module": "/nowhere/module.so"}, "/nowhere/module.so"),
        ({"module": __file__}, "can't be loaded"),
        ({"module": "libc.so.6"}, "no PKCS#11 module"),
        ({"pin": "/nowhere/pin"}, "/nowhere/pin"),
    ],
    ids=["no such token", "no such module", "no library", "another library", "no pin file"],
)
def test_a_missing_token_or_module_is_named(soft_token, key_label, changed, reported):
    """For an operator who has mistyped it: trying again would not help."""
    soft_token.log_out()

    with pytest.raises(KeyUnusable, match=reported):
        Pkcs11Store(soft_token.uri(key_label, **changed)).load()


def test_no_message_holds_a_pin(soft_token, key_label, another_pin, unplug):
    """Neither the right one nor a wrong one; nor do the variables beside a traceback."""
    store = Pkcs11Store(soft_token.uri(key_label))
    [kek] = store.load()
    said = [repr(store), repr(kek), repr(soft_token.uri(key_label))]
    failures = [lambda: kek.unwrap(bytes(60), "holder")]

    def with_wrong_pin():
        another_pin(WRONG_PIN)
        Pkcs11Store(soft_token.uri(key_label)).load()

    def unplugged():
        another_pin(soft_token.pin)
        unplug[0]()
        store.load()

    for fail in [*failures, with_wrong_pin, unplugged]:
        with pytest.raises(LedgerError) as failed:
            fail()
        said += shown(failed.value)

    assert any("refuses the pin" in text for text in said)
    assert not [text for text in said if soft_token.pin in text or WRONG_PIN in text]


def shown(error):
    """What a log may show of it: messages, and the product's variables."""
    while error is not None:
        yield str(error)
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if Path(frame.f_code.co_filename).parent == Path(library.__file__).parent:
                yield repr(frame.f_locals)
        error = error.__context__


def test_a_module_that_does_not_answer_is_not_waited_for_long(soft_token, store, monkeypatch):
    """One thread's call does not come back: the others say so."""
    [kek] = store.load()
    monkeypatch.setattr(library, "LOCK_WAIT_S", 0.05)

    with library.library(soft_token.module).held(), pytest.raises(Unavailable, match="answered"):
        kek.wrap(KEY, "holder")
    assert 60 == len(kek.wrap(KEY, "holder"))
