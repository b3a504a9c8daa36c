"""Running the service: health, quarantine, statistics, the overview's live summary."""

__all__ = [
    "development",
    "live_summary",
    "metrics_access",
    "published",
    "quarantine",
    "remote",
    "service",
    "stats",
]
