"""Follows the log and writes every view in one transaction a page."""

__all__ = ["folding", "pages", "quarantine", "runner", "writing"]
