"""Audit investigators: history, evidence, erasure."""

__all__ = ["absence", "audited", "data_protection", "evidence", "id_cards", "investigator"]
