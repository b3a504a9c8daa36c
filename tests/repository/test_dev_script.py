"""``./dev test``: what it installs, and what it does when registries are out of reach."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9/"
"""Not a registry: nothing listens on this port."""
WAIT_S = 300
STUB = '#!/bin/sh\necho "stub: $*"\n'
PYTHON_WITHOUT_INDEX = """#!/bin/sh
[ "$1" = -c ] && exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\\necho "ERROR: Connection refused" >&2\\nexit 1\\n' >.venv/bin/python
chmod +x .venv/bin/python
"""
"""Makes environments whose pip fails."""
PROGRAMS = ("softhsm2-util", "chromium-headless-shell", "ssh-agent", "node", "java", "mvn", "kcat")


def _stub(path: Path, text: str = STUB) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that holds only the script and the files that it makes ``.venv`` from."""
    for name in ("dev", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def _run(checkout: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "./dev", "test", *options, "-k", "some"],
        cwd=checkout,
        check=False,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        env={**os.environ, **environment},
    )


def _fingerprint(checkout: Path) -> str:
    made = subprocess.run(
        ["sh", "-c", "cat requirements.lock pyproject.toml | cksum; pwd"],
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    )
    return made.stdout


@pytest.fixture
def venv(checkout: Path) -> Path:
    """Programs that only print their arguments, under the current fingerprint."""
    for name in ("python", "go"):
        _stub(checkout / ".venv" / "bin" / name)
    (checkout / ".venv" / "fingerprint").write_text(_fingerprint(checkout))
    return checkout / ".venv"


def test_tests_run_where_npm_reaches_no_registry(checkout: Path, venv: Path) -> None:
    """It prints what it installs and the time limit, npm's own reason, and continues."""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing (Debian: apt install npm)")
    for name in PROGRAMS:
        if name != "node":
            _stub(checkout / "bin" / name)

    run = _run(
        checkout,
        PATH=f"{checkout / 'bin'}:{os.environ['PATH']}",
        npm_config_registry=NOWHERE,
        npm_config_cache=str(checkout / "npm-cache"),
    )

    assert "installing npm packages (at most " in run.stderr
    assert "ECONNREFUSED" in run.stderr
    assert "some tests are skipped without npm" in run.stderr
    assert (
        "stub: -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -k some"
        in run.stdout
    )
    assert 0 == run.returncode
    assert venv.is_dir()


def test_an_older_environment_is_kept_where_packages_cannot_be_fetched(
    checkout: Path, venv: Path
) -> None:
    """The lock has changed and pip fails: the reason is shown and the old environment is used."""
    (venv / "fingerprint").write_text("of another lock")
    for name in (*PROGRAMS, "npm"):
        _stub(checkout / "bin" / name)

    _stub(checkout / "bin" / "python-without-index", PYTHON_WITHOUT_INDEX)

    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    run = _run(checkout, PATH=path, PYTHON="python-without-index")

    assert "installing Python packages (at most " in run.stderr
    assert "ERROR: Connection refused" in run.stderr
    assert "continuing with the existing .venv" in run.stderr
    assert "stub: -m pytest" in run.stdout
    assert 0 == run.returncode


def test_it_prints_what_it_is_about_to_install_before_it_installs_anything(
    checkout: Path, venv: Path
) -> None:
    """The programs that are missing, and that it may take minutes; npm comes after that."""
    for name in ("npm", *PROGRAMS):
        _stub(checkout / "bin" / name)

    run = _run(checkout, PATH=f"{checkout / 'bin'}:{os.environ['PATH']}")

    plan, installs = run.stderr.split("this may take several minutes")
    assert "about to install, once: npm packages: axe-core" in plan
    assert "installing" not in plan
    assert "installing npm packages" in installs


def test_the_fast_tests_need_only_python_packages(checkout: Path, venv: Path) -> None:
    """Nothing is installed: no Debian packages, npm packages or Go programs."""
    run = _run(checkout, "--fast", PATH=os.environ["PATH"])

    assert "installing" not in run.stderr
    expression = "not kafka and not browser and not foreign and not slow"
    assert (
        f"stub: -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -m {expression}"
        in run.stdout
    )
    assert not (checkout / ".test-tools").exists()


def test_without_any_environment_it_ends_with_the_reason(checkout: Path) -> None:
    _stub(checkout / "bin" / "python-without-index", PYTHON_WITHOUT_INDEX)

    run = _run(checkout, PYTHON=str(checkout / "bin" / "python-without-index"))

    assert 1 == run.returncode
    assert "ERROR: Connection refused" in run.stderr
    assert "cannot install Python packages" in run.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_it_is_a_script_for_any_posix_shell(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", str(ROOT / "dev")], check=True)


def _interpreter(path: Path, configured: str) -> None:
    """One that says how it was built, and makes environments by a program that fails."""
    said = f'[ "$1" = -c ] && case $2 in *CONFIG_ARGS*) {configured} ;; *) exit 0 ;; esac\n'
    _stub(
        path, PYTHON_WITHOUT_INDEX.replace('[ "$1" = -c ] && exit 0\n', said + 'echo "by $0" >&2\n')
    )


def test_an_optimised_interpreter_is_preferred(checkout: Path) -> None:
    """Over the first on the path; the one that PYTHON names is used as it is, with a remark."""
    _interpreter(checkout / "bin" / "python3", "exit 1")
    _interpreter(checkout / "bin" / "python3.13", "exit 0")
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"

    found = _run(checkout, "--fast", PATH=path)
    named = _run(checkout, "--fast", PATH=path, PYTHON="python3")

    assert f"by {checkout}/bin/python3.13" in found.stderr
    assert "optimisation" not in found.stderr
    assert f"by {checkout}/bin/python3\n" in named.stderr
    assert "python3 was built without profile-guided optimisation" in named.stderr
