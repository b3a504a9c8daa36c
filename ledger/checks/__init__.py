"""The log of checks of cards and live codes, live codes, and audit reads."""

__all__ = ["audit_reads", "display_codes", "history", "log"]
