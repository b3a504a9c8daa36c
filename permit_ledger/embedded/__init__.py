"""PostgreSQL from a wheel, for trying the ledger without a server."""

__all__ = ["data_folder", "server"]
