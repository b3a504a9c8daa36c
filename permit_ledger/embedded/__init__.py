"""PostgreSQL from a wheel, for trying the ledger without a server."""
