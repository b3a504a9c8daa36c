"""Permits whose views differ from the log, or cannot follow it: found, retried, released.

The projector puts a permit into quarantine itself (``projections.projector.quarantine``).
"""

__all__ = ["admin", "auditor", "refold", "retry"]
