"""The event log: appended in group commits, loaded by stream, followed by position."""
