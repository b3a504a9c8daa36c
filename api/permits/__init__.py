"""Residence permits: registrars' commands, holders' devices, live codes."""

__all__ = [
    "answers",
    "display",
    "face_matches",
    "holder",
    "live",
    "own_reads",
    "presentation",
    "recorded",
    "registrar",
    "schemas",
    "work_list",
]
