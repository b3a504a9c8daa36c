"""Keys in a folder: for their owner only, created by one process, removed when destroyed."""

import multiprocessing
import os
import re
import stat

import pytest

from ledger.errors import KeyUnusable
from permit_ledger.keys.key_encryption.file_key import FileKey
from permit_ledger.keys.key_encryption.folder import KeyFolder

PROCESSES = 8
SECRET = bytes(range(32))
KEK_ID = "20261123T214500Z-3fa9c1"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keys" / "key-encryption"


@pytest.fixture
def store(folder):
    return KeyFolder(folder)


@pytest.fixture
def put(folder):
    """A file in the folder, as an operator would."""

    def put(content, name=f"{KEK_ID}.key"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return folder / name

    return put


def load_and_tell(folder, barrier, answers):
    """As at the start of a process."""
    barrier.wait(30)
    answers.put([kek.kek_id for kek in KeyFolder(folder).load()])


def test_processes_that_start_together_have_one_key(folder):
    """One creates it; the others wait and read it."""
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=load_and_tell, args=(folder, barrier, answers))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    reported = [answers.get(timeout=30) for _ in processes]
    for process in processes:
        process.join(30)

    assert [[kek.kek_id for kek in KeyFolder(folder).load()]] * PROCESSES == reported
    assert 1 == len(reported[0])


def test_files_are_readable_by_their_owner_only(folder, store):
    """With any umask; there is a lock and no draft beside the keys."""
    before = os.umask(0)
    try:
        [first], second = store.load(), store.create()
    finally:
        os.umask(before)

    names = [".lock", f"{first.kek_id}.key", f"{second.kek_id}.key"]
    assert names == sorted(file.name for file in folder.iterdir())
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert 0o700 == stat.S_IMODE(folder.parent.stat().st_mode)


def test_a_file_holds_64_hex_characters(put, store):
    """An operator may put one there, with white space around it."""
    put(f" {SECRET.hex().upper()}\r\n".encode())

    [kek] = store.load()
    assert KEK_ID == kek.kek_id
    assert SECRET == FileKey(KEK_ID, SECRET).unwrap(kek.wrap(SECRET, "holder"), "holder")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no hex, but of 64 characters: this is a secret, not reported..",
        SECRET.hex()[:-2].encode(),
        SECRET.hex().encode() + b"00",
        SECRET.hex().encode() + b" " * 200,
        SECRET,
        "居住证".encode(),
    ],
    ids=["nothing", "no hex", "too short", "too long", "far too long", "bytes", "no ASCII"],
)
def test_a_file_without_a_key_is_named(put, store, content):
    """Its contents are not reported, and it is not replaced."""
    file = put(content)

    with pytest.raises(KeyUnusable, match=re.escape(str(file))) as refused:
        store.load()
    assert not content or content.decode("utf-8", "replace") not in str(refused.value)
    assert content == file.read_bytes()


def test_a_file_that_is_none_is_named(folder, store):
    """A folder of that name, such as a mount without its file."""
    (folder / f"{KEK_ID}.key").mkdir(parents=True)

    with pytest.raises(KeyUnusable, match=re.escape(f"{KEK_ID}.key")):
        store.load()


@pytest.mark.parametrize(
    "name",
    ["old.key", f"{KEK_ID} copy.key", f"{KEK_ID.upper()}.key", "20261323T214500Z-3fa9c1.key"],
)
def test_a_file_of_another_name_is_named(put, store, name):
    """Its order is unknown, so no key is created beside it either."""
    put(SECRET.hex().encode(), name)

    for act in (store.load, store.create):
        with pytest.raises(KeyUnusable, match=re.escape(name)):
            act()


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    """Here a file stands in its way."""
    (tmp_path / "keys").write_text("")

    with pytest.raises(KeyUnusable, match=re.escape(str(tmp_path / "keys"))):
        KeyFolder(tmp_path / "keys" / "key-encryption").load()


def test_a_destroyed_key_is_overwritten(tmp_path, folder, store):
    """The file has zeros under any other name."""
    [kek] = store.load()
    os.link(folder / f"{kek.kek_id}.key", tmp_path / "second name")
    store.destroy(kek.kek_id)

    assert bytes(64) == (tmp_path / "second name").read_bytes()
    assert [".lock"] == [file.name for file in folder.iterdir()]


def test_a_draft_left_by_a_crash_goes_and_its_key_stays(folder, store):
    """A crash between the key's two names leaves a draft that is the key itself."""
    [kek] = store.load()
    os.link(folder / f"{kek.kek_id}.key", folder / f"{kek.kek_id}.draft")
    (folder / f"{KEK_ID}.draft").write_text("half a ke")
    wrapped = kek.wrap(SECRET, "holder")
    second = store.create()

    assert [kek.kek_id, second.kek_id] == [each.kek_id for each in store.load()]
    assert SECRET == store.load()[0].unwrap(wrapped, "holder")
    assert not list(folder.glob("*.draft"))


def test_a_key_shows_no_secret(folder, store):
    """Neither it nor the folder in a log."""
    [kek] = store.load()
    secret = (folder / f"{kek.kek_id}.key").read_text()

    assert f"FileKey('{kek.kek_id}')" == repr(kek)
    assert secret not in repr(store) + str(kek)
    assert not hasattr(kek, "__dict__")
