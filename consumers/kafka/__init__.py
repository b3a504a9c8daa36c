"""Connections to Kafka."""

__all__ = ["brokers", "client"]
