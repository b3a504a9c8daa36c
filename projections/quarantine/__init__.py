"""Permits whose events cannot be applied: set aside, retried, released."""
