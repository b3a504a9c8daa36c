"""Metrics. Labels are routes and statuses, never numbers, names or tokens."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import Scope

from projections.queries.health import HealthSnapshot
from projections.remote.source import RemoteState

LOOP_TIMER_S = 0.02

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
BUDGETS_EXCEEDED = Counter(
    "permit_ledger_check_budgets_exceeded_total",
    "checks refused because the account has checked too many different permits in the hour",
    ["scenario"],
    registry=REGISTRY,
)
CORRUPT = Counter(
    "permit_ledger_corrupt_answers_total",
    "requests refused since what the ledger holds can't be trusted",
    ["error"],
    registry=REGISTRY,
)
UNUSUAL_DAYS = Gauge(
    "permit_ledger_unusual_days",
    "days of officers or verifiers, today's and yesterday's, that a supervisor should ask about",
    ["question"],
    registry=REGISTRY,
)
LOOP_LAG = Histogram(
    "permit_ledger_event_loop_lag_seconds",
    "how late a timer of 20 ms came, since the event loop was busy",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
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
    "permit_ledger_quarantined_permits", "permits in quarantine", registry=REGISTRY
)
AUDITED_PERMITS = Gauge(
    "permit_ledger_audited_permits",
    "permits that the auditor has compared, since the ledger was created",
    registry=REGISTRY,
)
AUDIT_DIFFERENCES = Gauge(
    "permit_ledger_audit_differences",
    "permits that the auditor found to differ from the log, since the ledger was created",
    registry=REGISTRY,
)
PROJECTORS = Gauge(
    "permit_ledger_projectors",
    "running projectors, the leader included",
    registry=REGISTRY,
)
RELAY_POSITION = Gauge(
    "permit_ledger_relay_position",
    "last event on Kafka's topics; its rate is the relay's",
    registry=REGISTRY,
)
RELAY_LAG = Gauge(
    "permit_ledger_relay_lag_events",
    "events in the log but not on Kafka's topics, where a relay has ever run",
    registry=REGISTRY,
)
RELAY_STARTS = Gauge(
    "permit_ledger_relay_starts",
    "starts of the relay since the ledger was created, restarts included",
    registry=REGISTRY,
)
RELAY_STOPPED = Gauge(
    "permit_ledger_relay_stopped",
    "1 while the relay has stopped and needs an operator",
    registry=REGISTRY,
)

FEED_POSITION = Gauge(
    "permit_ledger_feed_position", "newest event in remote views", registry=REGISTRY
)
FEED_STALE = Gauge(
    "permit_ledger_feed_stale_seconds",
    "age of remote views; -1 if they were never in step",
    registry=REGISTRY,
)
FEED_BAD_RECORDS = Gauge(
    "permit_ledger_feed_bad_records", "records of the topic that were not events", registry=REGISTRY
)

TREE_SIZE = Gauge(
    "permit_ledger_tree_size", "entries in the tree of a log", ["tree"], registry=REGISTRY
)
TREE_STOPPED = Gauge(
    "permit_ledger_tree_stopped",
    "1 while signing has stopped and needs an operator",
    ["tree"],
    registry=REGISTRY,
)


async def measure_loop_lag() -> None:
    """Observe a timer's lateness until cancelled: what blocks the event loop keeps all waiting."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOP_TIMER_S
        await asyncio.sleep(LOOP_TIMER_S)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


def set_remote_state(feed: RemoteState) -> None:
    """Set the gauges of remote views."""
    FEED_POSITION.set(feed.position)
    FEED_STALE.set(-1 if feed.stale_s is None else feed.stale_s)
    FEED_BAD_RECORDS.set(feed.bad_records)
    QUARANTINED_PERMITS.set(feed.quarantined)


def set_vitals(vitals: HealthSnapshot) -> None:
    """Set the gauges that are read from the database, all of one instant."""
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
    """Return the labelled counter; looking it up takes longer than counting."""
    return REQUESTS.labels(method, route, status)


@lru_cache(maxsize=1024)
def request_timer(method: str, route: str) -> Histogram:
    """Return the labelled histogram of durations."""
    return DURATION.labels(method, route)


def route_of(scope: Scope) -> str:
    """Return the route's pattern, so that no number becomes a label; unknown paths share one."""
    return str(getattr(scope.get("route"), "path", "unknown"))
