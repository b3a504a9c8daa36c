"""Statistics: every event is written once to a DuckDB file; SQL views answer questions about it."""

__all__ = [
    "batch",
    "chart_kinds",
    "chart_texts",
    "charts",
    "check_source",
    "errors",
    "exports",
    "kafka_source",
    "log_source",
    "publishing",
    "questions",
    "runner",
    "sink",
]
