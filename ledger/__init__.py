"""The log: every fact about a permit, appended once, read by everyone else."""
