"""What every command shares: failures in a sentence, careful output, progress."""
