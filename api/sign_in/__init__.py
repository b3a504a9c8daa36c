"""Signing in at an OpenID provider, and the sessions that follow; no token reaches a browser."""

__all__ = ["accounts", "claims", "pending", "provider", "routes", "sessions", "step_up"]
