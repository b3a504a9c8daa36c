"""The log of checks of cards and live codes, live codes, audit reads, registrars' reads."""

__all__ = ["audit_reads", "card_codes", "display_codes", "history", "log", "registrar_reads"]
