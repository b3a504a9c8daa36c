"""Builds a view's next generation beside the live one, proves it equal, switches."""

__all__ = ["loading", "rebuild"]
