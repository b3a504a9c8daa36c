"""Connections, named SQL, migrations, retries and leadership."""

__all__ = ["clock", "connections", "leader", "migrations", "named_sql", "retry", "rows"]
