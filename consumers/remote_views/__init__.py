"""Workers that keep views in another database."""
