"""The event log: appended in group commits, loaded by stream, followed by position."""

__all__ = [
    "append",
    "bulk_append",
    "follow",
    "group_commit",
    "history",
    "idempotency",
    "log",
    "notifier",
    "pages",
    "prefetch",
    "reads",
    "recognition",
    "registry",
]
