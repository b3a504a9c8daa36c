"""First identity cards: the counter."""
