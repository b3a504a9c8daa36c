"""Witnesses: who must cosign a checkpoint, and how they are asked."""

__all__ = ["policy", "runner", "witnessed", "witnesses"]
