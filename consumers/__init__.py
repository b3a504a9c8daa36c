"""Consumers of the log: the Kafka relay, remote views and analytics."""
