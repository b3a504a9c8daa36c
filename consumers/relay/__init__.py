"""Publishes the log to Kafka, exactly once and in order."""

__all__ = ["cursor", "records", "relay"]
