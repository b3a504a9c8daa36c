"""The event log: every fact about a permit, appended once; all other packages read it."""
