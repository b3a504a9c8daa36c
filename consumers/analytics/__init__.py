"""Statistics: every event is written once to a file, with what it changes in the roll-ups; the
questions are SQL views of these."""

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
    "recount",
    "runner",
    "sink",
]
