"""The read models: one module a view, and the registry of all."""

__all__ = ["face", "generation", "id_cards", "registry", "track", "view"]
