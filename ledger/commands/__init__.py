"""What registrars, holders and counters do: load a stream, decide, append."""

__all__ = ["blocking", "bulk", "holders", "id_cards", "permits", "runner"]
