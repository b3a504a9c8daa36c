"""The container files name what exists. (No container engine is part of the tests.)"""

import re
from pathlib import Path

import yaml
from typer.main import get_command

from permit_ledger.cli import app
from permit_ledger.settings import Settings

ROOT = Path(__file__).parents[2]


def test_compose_runs_roles_with_settings_that_exist() -> None:
    """Each service but the database is a subcommand, and each variable a setting."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    services = {name: s for name, s in compose["services"].items() if name != "postgres"}
    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group
    assert {"api", "project"} == set(services)
    for service in services.values():
        assert service["command"][0] in commands
        for variable in service["environment"]:
            assert variable.removeprefix("PERMIT_LEDGER_").lower() in Settings.model_fields


def test_compose_publishes_on_this_machine_only() -> None:
    """Development mode is never offered to a network."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_holds_every_package() -> None:
    """Every package of the wheel is copied, and let through by .dockerignore."""
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.search(r"^packages = \[(.+)\]$", pyproject, re.MULTILINE)
    assert listed
    packages = re.findall(r'"(\w+)"', listed[1])
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    ignored = (ROOT / ".dockerignore").read_text("utf-8")
    assert [] == [p for p in packages if f"COPY {p} {p}\n" not in dockerfile]
    assert [] == [p for p in packages if f"!{p}\n" not in ignored]
