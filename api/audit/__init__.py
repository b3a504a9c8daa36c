"""Audit investigators: history, evidence, erasure."""
