"""First identity cards: the counter."""

__all__ = ["counter", "presentation"]
