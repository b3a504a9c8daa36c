"""Wiring: the parts of the program, made from the settings."""

__all__ = [
    "cli_context",
    "due_dates",
    "face_matches",
    "http_basis",
    "kafka_access",
    "remote",
    "service",
    "setup",
    "sign_in",
    "witness_policy",
    "workdays",
]
