"""``permit-ledger up`` on busy or unusual machines."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import httpx
import psutil
import pytest

from tests import commands

NOWHERE = "http://127.0.0.1:9"


def environment(**more):
    """This process's own, and more."""
    return {**os.environ, **more}


@pytest.fixture
def odd_folder(tmp_path):
    """A working folder with files named like the programs that the service starts."""
    for name in ("api", "domain", "ledger", "transparency", "permit_ledger"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    return tmp_path


def test_up_on_ipv6_behind_a_proxy_in_a_folder_with_other_programs(make_service, odd_folder):
    """The printed address can be opened, the proxy is not used for it, and the roles run the same
    program as ``up``."""
    service = make_service()
    service.host = "[::1]"
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), NOWHERE)
    settings = {"PERMIT_LEDGER_HOST": "::1", "LC_ALL": "xx_YY", **proxies}
    # -P: not python -m itself, of which only the roles are asked here.
    service.process = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "permit_ledger", "up", "--empty"),
            *("--port", str(service.port), "--data-dir", str(service.data_dir)),
        ],
        stdout=subprocess.PIPE,
        env=environment(**settings),
        cwd=odd_folder,
        text=True,
        start_new_session=True,
    )
    service.wait_until_ready()

    assert httpx.get(f"{service.url}/readyz", trust_env=False).json()["ready"]
    port = {"PERMIT_LEDGER_PORT": str(service.port)}
    demo = commands.permit_ledger(service.data_dir, {**settings, **port}, "demo")
    assert (0, "") == (demo.returncode, demo.stderr)
    other = commands.permit_ledger(
        service.data_dir, settings, "up", "--empty", "--port", str(service.port),
        "--data-dir", str(service.data_dir.parent / "other"),
    )  # fmt: skip
    assert 1 == other.returncode
    assert f"port {service.port} is taken: choose another with --port" in other.stderr
    assert 0 == service.stop()


def test_up_in_a_data_folder_with_an_unusual_name(make_service, eventually):
    """Each role keeps its files there, and the statistics can be queried."""
    service = make_service()
    service.data_dir = service.data_dir.rename(
        service.data_dir.with_name("""it's 居住证, "$HOME" %41 #1""")
    )
    service.start()
    try:
        demo = commands.permit_ledger(service.data_dir, {}, "demo", "--url", service.url)
        assert 0 == demo.returncode, demo.stderr
        assert service.status()["log_position"] == 6
        assert 0 == service.command("verify-log").returncode
        eventually(lambda: service.command("stats").returncode == 0)
    finally:
        assert 0 == service.stop()


def frozen_api(service):
    """The API's process, stopped as soon as it is there."""
    up = psutil.Process(service.process.pid)
    while True:
        for child in up.children():
            with suppress(psutil.Error):
                if child.cmdline()[-1:] == ["api"]:
                    child.send_signal(signal.SIGSTOP)
                    return child
        assert up.is_running()


def test_a_suspended_role_is_waited_for(make_service):
    """Longer than the others take; once it resumes, the service becomes ready."""
    service = make_service()
    service.launch(environment=environment(PERMIT_LEDGER_START_TIMEOUT_S="120"))
    api = frozen_api(service)
    with pytest.raises(psutil.TimeoutExpired):
        psutil.Process(service.process.pid).wait(6)

    api.send_signal(signal.SIGCONT)
    service.wait_until_ready()
    assert 0 == service.stop()


def test_a_start_without_progress_is_aborted(make_service):
    """After a bounded time, with a sentence; nothing of it is left."""
    service = make_service()
    service.launch(
        stderr=subprocess.PIPE, environment=environment(PERMIT_LEDGER_START_TIMEOUT_S="2")
    )
    api = frozen_api(service)

    _, said = service.process.communicate(timeout=120)

    assert 1 == service.process.returncode
    assert "the service is not ready, and nothing has moved for 2 s" in said
    assert "Traceback" not in said
    assert not api.is_running()
    assert [] == service.database_server()
