"""Permits from another system: the file they come in, row by row."""
