"""The views that people read: folded from the log, both tracks in one transaction."""
