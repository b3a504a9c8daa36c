"""Commands on terminals of any encoding, into pipes whose readers go, and onto full disks."""

import os
import subprocess
import sys

import pytest

READER_GONE = 141
WAIT_S = 300
ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "gbk"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]
COMMANDS = [["--help"], ["up", "--help"], ["token", "registrar"], ["import", "--template"]]
FAILING = [["nothing"], ["token", "holder"], ["stats"]]


@pytest.fixture
def popen(tmp_path):
    """``popen("token", …, LC_ALL="C")``: a command in a folder of its own."""

    def popen(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "permit_ledger", *arguments],
            stdout=stdout,
            stderr=stderr,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **environment},
        )

    return popen


def is_quiet(stderr):
    reported = (
        b"Traceback",
        b"Exception ignored",
        b"BrokenPipe",
        b"UnicodeEncodeError",
        b"unexpected",
    )
    return not any(each in stderr for each in reported)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda given: next(iter(given.values())))
@pytest.mark.parametrize("command", [*COMMANDS, *FAILING], ids=" ".join)
def test_an_encoding_without_the_characters(popen, command, encoding):
    """Replacements, and the exit code that the command has elsewhere."""
    usual = popen(*command)
    usual.communicate(timeout=WAIT_S)

    process = popen(*command, **encoding)
    _, stderr = process.communicate(timeout=WAIT_S)

    assert usual.returncode == process.returncode
    assert is_quiet(stderr)


@pytest.mark.parametrize("encoding", ENCODINGS[:2], ids=["ascii", "cp1252"])
def test_a_template_is_utf_8_whatever_the_terminal_has(popen, encoding):
    """It is a template, not a message."""
    stdout, _ = popen("import", "--template", **encoding).communicate(timeout=WAIT_S)
    assert "欧阳示例" in stdout.decode("utf-8")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone(popen, command, unbuffered):
    """No output, and the exit code of a program ended by SIGPIPE."""
    reading, writing = os.pipe()
    os.close(reading)
    process = popen(*command, stdout=writing, PYTHONUNBUFFERED=unbuffered)
    os.close(writing)
    _, stderr = process.communicate(timeout=WAIT_S)

    assert (READER_GONE, b"") == (process.returncode, stderr)


@pytest.mark.parametrize("command", FAILING, ids=" ".join)
def test_a_command_that_fails_keeps_its_code(popen, command):
    """Without a reader of standard output, or of standard error."""
    usual = popen(*command)
    usual.communicate(timeout=WAIT_S)
    reading, writing = os.pipe()
    os.close(reading)
    process = popen(*command, stdout=writing, stderr=writing)
    os.close(writing)

    assert usual.returncode == process.wait(WAIT_S) != 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk(popen, command):
    """One sentence."""
    with open("/dev/full", "wb") as full:
        process = popen(*command, stdout=full)
    _, stderr = process.communicate(timeout=WAIT_S)

    assert 1 == process.returncode
    assert b"permit-ledger: No space left on device: free some space" in stderr
    assert is_quiet(stderr)
