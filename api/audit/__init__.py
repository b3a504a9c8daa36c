"""Audit investigators: history, evidence, erasure."""

__all__ = ["data_protection", "evidence", "id_cards", "investigator"]
