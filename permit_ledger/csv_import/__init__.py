"""Import of permits from another system's file, row by row."""

__all__ = ["command"]
