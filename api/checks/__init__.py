"""Checks of cards and live codes by verification endpoints."""

__all__ = [
    "answers",
    "frames",
    "own_checks",
    "receipts",
    "remote",
    "verifier",
]
