"""The processes that decode pictures: limited by the kernel, and replaced when they end."""

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import time

import psutil
import pytest
from PIL import Image

from api.pictures.processes import NotAPicture, PictureProcesses
from ledger.crypto.portraits import Portrait
from tests.api import hostile_pictures as pictures

PATIENCE_S = 30


def blank():
    return pictures.encoded(Image.new("L", (64, 64), 90), "PNG")


def slow():
    """As many pixels as are decoded, of noise in which codes are searched for long."""
    return pictures.encoded(Image.effect_noise((1000, 1000), 90).resize((2000, 2000)), "JPEG")


def decoders():
    """Processes of this test that decode."""
    found = psutil.Process().children()
    return [each for each in found if "api.pictures.worker" in " ".join(each.cmdline())]


def run(test):
    async def within():
        processes = PictureProcesses(2)
        try:
            return await test(processes)
        finally:
            await processes.close()

    return asyncio.run(within())


def test_a_process_serves_many_pictures():
    """It is started by the first one and kept."""

    async def test(processes):
        for _ in range(5):
            await processes.read(blank(), "PNG", "a")
        return [each.pid for each in decoders()]

    assert 1 == len(run(test))
    assert [] == decoders()


def test_a_process_that_is_killed_loses_only_its_picture():
    """Another picture, decoded beside it, and the next one are read."""

    async def test(processes):
        hostile = asyncio.create_task(processes.read(slow(), "JPEG", "a"))
        until = time.monotonic() + PATIENCE_S
        while not (found := decoders()) and time.monotonic() < until:
            await asyncio.sleep(0.01)
        neighbour = asyncio.create_task(processes.read(blank(), "PNG", "b"))
        await asyncio.sleep(0)  # no wait: it lets the task begin
        found[0].kill()
        with pytest.raises(NotAPicture, match="less time"):
            await hostile
        return await neighbour, await processes.read(blank(), "PNG", "a")

    assert [None, None] == [found.text for found in run(test)]


def test_an_idle_process_that_has_ended_is_replaced():
    """The next picture does not notice."""

    async def test(processes):
        await processes.read(blank(), "PNG", "a")
        for each in decoders():
            each.kill()
        await asyncio.sleep(0.2)
        return await processes.read(blank(), "PNG", "a")

    assert run(test).text is None


def test_the_kernel_ends_a_picture_that_takes_too_long():
    """Whatever the decoder is doing; here, a loop in place of one."""
    code = """
import api.pictures.worker as worker
worker.PICTURE_CPU_S_MAX = 1
worker._load_everything = lambda: None
worker.read_codes = lambda content, form: sum(iter(int, 1))
worker.main()
"""
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=b"P" + (0).to_bytes(4),
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode < 0
    assert time.monotonic() - started < 20


def test_a_picture_that_takes_too_much_memory_is_refused():
    """The process goes on with the next one."""
    code = """
import api.pictures.worker as worker
worker._load_everything = lambda: None
worker.read_codes = lambda content, form: bytes(4 << 30) and b""
worker.main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=2 * (b"P" + (0).to_bytes(4)),
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert 0 == ran.returncode
    assert 2 == ran.stdout.count(b"less memory")


TAKEN_OVER = """
import json, os, signal, socket
import api.pictures.worker as worker

def tried(attempt):
    try:
        attempt()
    except OSError:
        return False
    return True

def taken_over(content, form):
    os.close(2)  # makes room for one descriptor
    return json.dumps({
        "a descriptor": tried(lambda: os.fstat(7)),
        "a second file": tried(lambda: [os.open(".", os.O_RDONLY) for _ in range(2)]),
        "a file of the system": tried(lambda: open("/etc/passwd")),
        "a file of the service": tried(lambda: open(worker.__file__)),
        "a new file": tried(lambda: os.mkdir("/tmp/new")),
        "a process": tried(lambda: os.fork() or os._exit(0)),
        "another program": tried(lambda: os.execv("/bin/true", ["true"])),
        "a connection": tried(lambda: socket.socket().connect((b"127.0.0.1", PORT))),
        "its parent": tried(lambda: os.kill(os.getppid(), 0)),
    }).encode()

worker.read_codes = taken_over
worker._load_everything = lambda: None
worker.main()
"""


def test_a_process_that_is_taken_over_reaches_nothing():
    """Neither the files nor the network, and as root no other process either."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        inherited = os.open("/etc/passwd", os.O_RDONLY)
        os.set_inheritable(inherited, True)
        try:
            ran = subprocess.run(
                [sys.executable, "-c", TAKEN_OVER.replace("PORT", str(server.getsockname()[1]))],
                input=b"P" + (0).to_bytes(4),
                stdout=subprocess.PIPE,
                pass_fds=(inherited,),
                timeout=60,
                check=False,
            )
        finally:
            os.close(inherited)

    assert 0 == ran.returncode
    done = [what for what, is_done in json.loads(ran.stdout[5:]).items() if is_done]
    assert [] == (done if os.geteuid() == 0 else [one for one in done if one != "its parent"])


@pytest.mark.parametrize(
    "answer",
    [
        b"+" + (1 << 31).to_bytes(4),
        b"?" + (2).to_bytes(4) + b"{}",
        b"+" + (2).to_bytes(4) + b"{}",
        b"+" + (1).to_bytes(4) + b"{",
        b'+\0\0\0\x25{"text": "<script>", "other_code": 1}',
        b"-" + (9).to_bytes(4) + b"\xff" * 9,
    ],
)
def test_an_answer_that_no_decoder_gives_is_not_believed(monkeypatch, answer):
    """It costs no memory, no time, and no error but of this picture."""

    async def lying(*_, **how):
        program = f"import sys; sys.stdout.buffer.write({answer!r}); sys.stdout.flush(); input()"
        how.pop("env"), how.pop("cwd")
        return await start(sys.executable, "-c", program, **how)

    start = asyncio.create_subprocess_exec
    monkeypatch.setattr(asyncio, "create_subprocess_exec", lying)

    async def test(processes):
        for ask in (
            lambda: processes.read(blank(), "PNG", "a"),
            lambda: processes.portrait(Portrait.of(pictures.with_place()), "a"),
        ):
            with pytest.raises(NotAPicture) as caught:
                await ask()
            assert len(str(caught.value)) < 200

    run(test)


def test_one_account_leaves_a_process_to_the_others():
    """However many costly pictures it sends."""

    async def test(processes):
        costly = [asyncio.create_task(processes.read(slow(), "JPEG", "a")) for _ in range(6)]
        await asyncio.sleep(0)  # no wait: it lets the tasks begin
        await asyncio.wait_for(processes.read(blank(), "PNG", "b"), PATIENCE_S)
        ended = sum(task.done() for task in costly)
        for task in costly:
            task.cancel()
        await asyncio.gather(*costly, return_exceptions=True)
        return ended

    assert run(test) <= 1


def test_decoding_does_not_hold_up_the_event_loop():
    """While two pictures are decoded, the loop answers others."""

    async def test(processes):
        reads = [asyncio.create_task(processes.read(slow(), "JPEG", "a")) for _ in range(2)]
        started, longest = time.monotonic(), 0.0
        while not all(read.done() for read in reads):
            before = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - before)
        return longest / (time.monotonic() - started)

    assert run(test) < 0.5


def test_a_portrait_is_encoded_again_the_same_way():
    """The same bytes give the same bytes, in any process."""
    sent = Portrait.of(pictures.with_place())

    async def test(processes):
        return await processes.portrait(sent, "a")

    first, second = run(test), run(test)

    assert first == second
    assert first.image != sent.image
    assert (150, 120) == Image.open(io.BytesIO(first.image)).size


def test_a_process_gets_none_of_the_services_settings():
    """Its environment names where its modules are, and nothing else."""

    async def test(processes):
        await processes.read(blank(), "PNG", "a")
        return [set(each.environ()) for each in decoders()]

    assert [{"PYTHONPATH"}] == run(test)


def test_the_service_loads_no_decoder():
    """Nor is there one that complains when a program ends."""
    code = """
import sys
import permit_ledger.bootstrap.service
print(sorted({"PIL", "zxingcpp"} & sys.modules.keys()))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ("[]\n", "") == (ended.stdout, ended.stderr)
