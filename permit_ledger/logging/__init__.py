"""The service's own log: JSON lines without personal data."""
