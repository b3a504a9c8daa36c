"""Publishes the log to Kafka, exactly once and in order."""
