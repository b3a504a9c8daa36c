"""The service's own log: JSON lines without personal data."""

__all__ = ["crashes", "logs", "redaction", "tracebacks"]
