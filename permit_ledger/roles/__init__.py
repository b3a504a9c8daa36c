"""The roles, a module each, and the supervisor that starts and stops them."""

__all__ = ["analytics", "api", "integrate", "project", "relay", "supervisor", "up"]
