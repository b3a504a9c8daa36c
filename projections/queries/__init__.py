"""What the API asks of the views."""

__all__ = [
    "changes",
    "check_batcher",
    "fresh",
    "health",
    "id_cards",
    "live_summary",
    "permits",
    "waiting",
    "work_list",
]
