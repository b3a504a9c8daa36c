"""Compares views with the log, permit by permit, all day."""
