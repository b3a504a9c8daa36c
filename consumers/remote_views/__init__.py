"""Workers that keep views in another database."""

__all__ = ["decoder", "worker"]
