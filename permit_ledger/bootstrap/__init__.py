"""Wiring: the parts of the program, made from the settings."""
