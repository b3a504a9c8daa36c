"""The container files name what exists. (No container engine is part of the tests.)"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric
from starlette.requests import Request
from typer.main import get_command

from api.http.metrics import REGISTRY
from api.http.problems import HttpProblem
from api.operations.metrics_access import MetricsAccess
from permit_ledger.cli.app import app
from permit_ledger.cli.remote_status import RemoteStatus
from permit_ledger.cli.status import RelayStatus, Statistics, Status, Tree
from permit_ledger.roles.listening import require_loopback
from permit_ledger.settings import Settings
from tests.sign_in.keycloak import REALM_FILE, VERSION

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
KEYS = {
    *("build", "image", "command", "environment", "volumes", "ports", "healthcheck"),
    *("depends_on", "restart", "profiles", "network_mode"),
}
"""Of the Compose specification, those that are used."""
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def test_every_role_is_a_service_of_its_own() -> None:
    roles = {"api", "project", "integrate", "relay", "analytics"}
    remote = {"project-remote", "api-remote"}
    watching = {"postgres", "kafka", "prometheus", "grafana", "postgres-remote"}
    watching |= {"door", "door-remote", "keycloak"}
    assert roles | remote == set(OURS)
    assert watching == set(SERVICES) - set(OURS)


def test_services_say_what_compose_knows() -> None:
    """Keys, and how each is written; every service has either an image or our own."""
    for name, service in SERVICES.items():
        assert set(service) <= KEYS, name
        assert ("image" in service) != ("build" in service), name
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())
        assert isinstance(service.get("command", []), list)
        assert re.fullmatch(r"[\w./-]+:[\w.-]+", service.get("image", "a:1"))


def test_every_service_has_a_health_check() -> None:
    for name, service in SERVICES.items():
        check = service["healthcheck"]
        assert set(check) <= HEALTH_KEYS, name
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert all(re.fullmatch(r"\d+s", check[each]) for each in ("interval", "timeout"))


def test_who_is_waited_for_is_there() -> None:
    for name, service in SERVICES.items():
        for awaited, how in service.get("depends_on", {}).items():
            assert awaited in SERVICES, name
            assert {"condition": "service_healthy"} == how
            profiles = SERVICES[awaited].get("profiles", [])
            assert set(profiles) <= set(service.get("profiles", [])), name


def test_roles_are_commands_with_options_and_settings_that_exist() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group
    for service in OURS.values():
        name, *options = service["command"]
        commands[name].make_context(name, list(options))
        for variable in service["environment"]:
            assert variable.removeprefix("PERMIT_LEDGER_").lower() in Settings.model_fields


def test_volumes_are_declared_and_mounted_files_are_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                assert source in COMPOSE["volumes"]
    mounted = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= mounted


def test_compose_publishes_on_this_machine_only() -> None:
    """Development mode is never offered to a network."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len(ports) == len({port.split(":")[1] for port in ports})


def test_development_mode_listens_on_its_containers_loopback() -> None:
    """Otherwise the start is refused. Whoever is to reach it shares its network."""
    for name, service in OURS.items():
        environment = service["environment"]
        assert "true" == environment["PERMIT_LEDGER_DEVELOPMENT"], name
        require_loopback(environment["PERMIT_LEDGER_HOST"])
    for name in ("api", "api-remote"):
        [door] = [
            each
            for each in SERVICES.values()
            if each.get("network_mode") == f"service:{name}" and "socat" in each["image"]
        ]
        listen, to = door["command"]
        to_api, asks_from = to.removeprefix("TCP:").split(",bind=")
        assert "127.0.0.1:8000" == to_api
        own = {"type": "http", "http_version": "1.1", "path": "/metrics", "client": (asks_from, 1)}
        with pytest.raises(HttpProblem):  # its callers are not this machine for certain
            MetricsAccess().require(Request({**own, "headers": [(b"host", b"127.0.0.1")]}))
        [network] = COMPOSE["networks"]["default"]["ipam"]["config"]
        assert listen.endswith(f",range={network['gateway']}/32")
        inside = re.match(r"TCP-LISTEN:(\d+)", listen)
        assert inside
        assert any(port.endswith(f":{inside[1]}") for port in SERVICES[name]["ports"])


def test_prometheus_asks_on_the_loopback_that_it_shares() -> None:
    """Metrics are for this machine only, where no token is set."""
    assert "service:api" == SERVICES["prometheus"]["network_mode"]
    jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    assert [["127.0.0.1:8000"]] == [
        each["targets"] for job in jobs for each in job["static_configs"]
    ]


def test_the_broker_is_the_one_of_the_tests() -> None:
    """The same version; one copy of everything, as there is one broker; no topics by accident."""
    version = re.search(
        r"<version>(\d[^<]+\.[^<]+)</version>", (ROOT / "tests/kafka/pom.xml").read_text("utf-8")
    )
    assert version
    kafka = SERVICES["kafka"]
    assert f"apache/kafka:{version[1]}" == kafka["image"]
    settings = kafka["environment"]
    assert "false" == settings["KAFKA_AUTO_CREATE_TOPICS_ENABLE"]
    assert {"1"} == {v for n, v in settings.items() if "REPLICATION_FACTOR" in n or "MIN_ISR" in n}
    listeners = set(re.findall(r"(\w+)://", settings["KAFKA_LISTENERS"]))
    mapped = dict(re.findall(r"(\w+):(\w+)", settings["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]))
    assert listeners == set(mapped)
    advertised = re.findall(r"(\w+)://", settings["KAFKA_ADVERTISED_LISTENERS"])
    assert listeners - {settings["KAFKA_CONTROLLER_LISTENER_NAMES"]} == set(advertised)
    clients = {s["environment"].get("PERMIT_LEDGER_KAFKA") for s in OURS.values()} - {None}
    inside = re.findall(r"INSIDE://([\w.]+:\d+)", settings["KAFKA_ADVERTISED_LISTENERS"])
    assert clients == set(inside)


def test_keycloak_is_the_one_of_the_tests() -> None:
    """The same version, with the realm and what the realm asks for, on the loopback only."""
    keycloak = SERVICES["keycloak"]
    assert f"quay.io/keycloak/keycloak:{VERSION}" == keycloak["image"]
    assert {"--import-realm", "--http-host=127.0.0.1"} <= set(keycloak["command"])
    realm = REALM_FILE.read_text("utf-8")
    mounts = [volume.split(":")[0] for volume in keycloak["volumes"]]
    assert f"./{REALM_FILE.relative_to(ROOT).as_posix()}" in mounts
    assert set(re.findall(r"\$\{(\w+)\}", realm)) <= set(keycloak["environment"])
    assert "ports" not in keycloak


def _status(**given: Any) -> Status:
    usual: dict[str, Any] = dict.fromkeys(Status.__dataclass_fields__, 0)
    usual |= {"quarantine": [], "trees": [Tree("events", 1, None)], "witnesses": []}
    relay = RelayStatus(position=5, lag_events=0, starts=1, stopped=None)
    feed = RemoteStatus("s", "t", 5, 0, 1.0, 1.0, 0, [])
    statistics = Statistics(position=5, lag_events=0, lag_checks=0, parked=0)
    usual |= {"relay": relay, "feed": feed, "statistics": statistics}
    return Status(**{**usual, **given})


@pytest.mark.parametrize(
    ("service", "unwell"),
    [
        ("project", {"lag_events": 1001}),
        ("integrate", {"trees": [Tree("events", 1, "forked")]}),
        ("relay", {"relay": None}),
        ("relay", {"relay": RelayStatus(5, 0, 1, "a topic was lost")}),
        ("relay", {"relay": RelayStatus(5, 10_001, 1, None)}),
        ("analytics", {"statistics": None}),
        ("analytics", {"statistics": Statistics(5, 100_001, 0, 0)}),
        ("project-remote", {"feed": None}),
        ("project-remote", {"feed": RemoteStatus("s", "t", 5, 0, None, None, 0, [])}),
        ("project-remote", {"feed": RemoteStatus("s", "t", 5, 0, 301.0, 1.0, 0, [])}),
    ],
)
def test_a_health_check_tells_well_from_unwell(service: str, unwell: dict[str, Any]) -> None:
    """What follows the pipe is run on what `status --json` gives."""
    _, shell = SERVICES[service]["healthcheck"]["test"]
    found = re.fullmatch(r'permit-ledger status --json \| python -c "(.+)"', shell)
    assert found
    ends = [
        subprocess.run(
            [sys.executable, "-c", found[1]],
            input=json.dumps(_status(**given).as_dict()),
            text=True,
            check=False,
        ).returncode
        for given in ({}, unwell)
    ]
    assert [0, 1] == ends


def test_every_metric_that_is_watched_exists() -> None:
    """On the dashboard and in the alerts; and every panel asks for one."""
    dashboard = json.loads((DEPLOY / "grafana/dashboards/permit-ledger.json").read_text("utf-8"))
    alerts = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))
    asked = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    asked += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    assert len(asked) > 20
    known = {name for metric in REGISTRY.collect() for name in _samples(metric)}
    for expression in asked:
        named = re.findall(r"permit_ledger_\w+", expression)
        assert named
        assert set(named) <= known, expression
        assert expression.count("(") == expression.count(")")


def _samples(metric: Metric) -> set[str]:
    return {metric.name + suffix for suffix in SUFFIXES[metric.type]}


def test_the_dashboard_is_whole() -> None:
    """Panels have names, places of their own, and the source that is provisioned."""
    dashboard = json.loads((DEPLOY / "grafana/dashboards/permit-ledger.json").read_text("utf-8"))
    panels = dashboard["panels"]
    sources = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text("utf-8")
    )["datasources"]
    assert {source["uid"] for source in sources} == {p["datasource"]["uid"] for p in panels}
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_what_is_scraped_and_shown_lies_where_it_is_mounted() -> None:
    prometheus = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    targets = [
        target.split(":")[0]
        for job in prometheus["scrape_configs"]
        for config in job["static_configs"]
        for target in config["targets"]
    ]
    assert {"127.0.0.1"} == set(targets)
    assert all((DEPLOY / file).exists() for file in prometheus["rule_files"])
    provider = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/dashboards/permit-ledger.yml").read_text("utf-8")
    )["providers"][0]
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert provider["options"]["path"] == mounts["./deploy/grafana/dashboards"]


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
