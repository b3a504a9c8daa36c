"""Checks of cards and live codes on record, and audit reads."""
