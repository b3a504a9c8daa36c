"""Statistics: every event once into a DuckDB file, and what people ask of it, as SQL views."""

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
