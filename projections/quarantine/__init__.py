"""Permits whose events cannot be applied: set aside, retried, released."""

__all__ = ["admin", "refold", "retry"]
