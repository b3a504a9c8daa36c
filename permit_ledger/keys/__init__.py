"""Keys in files and devices: create, read, rotate."""

__all__ = ["files", "issuer", "log_keys", "receipt_keys"]
