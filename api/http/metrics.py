"""What is measured. Labels are routes and statuses: never a number, a name or a token."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import Scope

from projections.queries.health import HealthSnapshot
from projections.remote.source import RemoteState

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "permit_ledger_http_requests_total",
    "requests answered",
    ["method", "route", "status"],
    registry=REGISTRY,
)
DURATION = Histogram(
    "permit_ledger_http_request_seconds",
    "time from the request's arrival to its answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
LOG_POSITION = Gauge("permit_ledger_log_position", "last position of the log", registry=REGISTRY)
VIEWS_POSITION = Gauge(
    "permit_ledger_views_position", "position that the views have reached", registry=REGISTRY
)
VIEWS_LAG = Gauge(
    "permit_ledger_views_lag_events", "events in the log but not in the views", registry=REGISTRY
)
QUARANTINED_PERMITS = Gauge(
    "permit_ledger_quarantined_permits", "permits whose views stand still", registry=REGISTRY
)
AUDITED_PERMITS = Gauge(
    "permit_ledger_audited_permits",
    "permits that the auditor has compared since the ledger began",
    registry=REGISTRY,
)
AUDIT_DIFFERENCES = Gauge(
    "permit_ledger_audit_differences",
    "permits that the auditor found to differ from the log since the ledger began",
    registry=REGISTRY,
)
PROJECTORS = Gauge(
    "permit_ledger_projectors",
    "projectors that run, the one that leads and others",
    registry=REGISTRY,
)
RELAY_POSITION = Gauge(
    "permit_ledger_relay_position",
    "last event that is on Kafka's topics; its rate is the relay's",
    registry=REGISTRY,
)
RELAY_LAG = Gauge(
    "permit_ledger_relay_lag_events",
    "events in the log but not on Kafka's topics, where a relay has ever run",
    registry=REGISTRY,
)
RELAY_STARTS = Gauge(
    "permit_ledger_relay_starts",
    "beginnings of the relay since the ledger began, those after a failure too",
    registry=REGISTRY,
)
RELAY_STOPPED = Gauge(
    "permit_ledger_relay_stopped",
    "1 while the relay sends nothing until an operator has looked",
    registry=REGISTRY,
)

FEED_POSITION = Gauge(
    "permit_ledger_feed_position", "newest event in views fed from Kafka", registry=REGISTRY
)
FEED_STALE = Gauge(
    "permit_ledger_feed_stale_seconds",
    "since when views fed from Kafka may lack something; -1 where they were never in step",
    registry=REGISTRY,
)
FEED_BAD_RECORDS = Gauge(
    "permit_ledger_feed_bad_records", "records of the topic that were no event", registry=REGISTRY
)

TREE_SIZE = Gauge(
    "permit_ledger_tree_size", "entries in the tree of a log", ["tree"], registry=REGISTRY
)
TREE_STOPPED = Gauge(
    "permit_ledger_tree_stopped",
    "1 where nothing is signed until an operator has looked",
    ["tree"],
    registry=REGISTRY,
)


def set_remote_state(feed: RemoteState) -> None:
    """How views are that are fed from Kafka."""
    FEED_POSITION.set(feed.position)
    FEED_STALE.set(-1 if feed.stale_s is None else feed.stale_s)
    FEED_BAD_RECORDS.set(feed.bad_records)
    QUARANTINED_PERMITS.set(feed.quarantined)


def set_vitals(vitals: HealthSnapshot) -> None:
    """What the database tells, all of one instant."""
    LOG_POSITION.set(vitals.log)
    VIEWS_POSITION.set(vitals.views)
    VIEWS_LAG.set(vitals.log - vitals.views)
    QUARANTINED_PERMITS.set(vitals.quarantined)
    AUDITED_PERMITS.set(vitals.audited)
    AUDIT_DIFFERENCES.set(vitals.differences)
    PROJECTORS.set(vitals.projectors)
    for tree, (size, is_stopped) in vitals.trees.items():
        TREE_SIZE.labels(tree).set(size)
        TREE_STOPPED.labels(tree).set(is_stopped)
    RELAY_STARTS.set(vitals.relay_starts)
    RELAY_STOPPED.set(vitals.relay_stopped)
    if vitals.relay_starts and vitals.relay is not None:
        RELAY_POSITION.set(vitals.relay)
        RELAY_LAG.set(vitals.log - vitals.relay)


@lru_cache(maxsize=1024)
def request_counter(method: str, route: str, status: int) -> Counter:
    """The one child to count with; finding it each time takes longer than counting."""
    return REQUESTS.labels(method, route, status)


@lru_cache(maxsize=1024)
def request_timer(method: str, route: str) -> Histogram:
    """The same for how long it took."""
    return DURATION.labels(method, route)


def route_of(scope: Scope) -> str:
    """The route's pattern, so that no number becomes a label; unknown paths share one."""
    return str(getattr(scope.get("route"), "path", "unknown"))
