"""What registrars, holders and counters do: load a stream, decide, append."""
