"""Kafka: what leaves the ledger for other departments and for analytics."""
