"""Connections to Kafka."""
