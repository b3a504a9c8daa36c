"""Checks of cards and live codes on record, and audit reads."""

__all__ = ["audit_reads", "display_codes", "history", "log"]
