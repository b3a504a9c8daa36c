"""Audit investigators: history, evidence, erasure."""

__all__ = ["audited", "data_protection", "evidence", "id_cards", "investigator"]
