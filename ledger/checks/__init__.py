"""The log of checks, live codes, codes on cards, audit reads, registrars' reads."""

__all__ = ["audit_reads", "card_codes", "display_codes", "history", "log", "registrar_reads"]
