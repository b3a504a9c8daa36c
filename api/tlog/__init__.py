"""The transparency log over HTTP (C2SP tlog-tiles)."""

__all__ = ["log", "witnesses"]
