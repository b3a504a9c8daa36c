"""Witnesses: the policy for cosignatures, and requests for them."""

__all__ = ["policy", "runner", "witnessed", "witnesses"]
