"""Terminal output of commands: failures as sentences, safe streams, progress, waiting."""
