"""The sample city: people, permits and years made up from a seed."""

__all__ = ["city", "command"]
