"""Connections, named SQL, migrations, retries and leadership."""
