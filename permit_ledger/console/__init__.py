"""Terminal output of commands: failures as sentences, safe streams, progress, waiting."""

__all__ = ["failures", "output", "private_files", "progress", "waiting"]
