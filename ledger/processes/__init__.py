"""What processes of the service share: they end with their parent."""

__all__ = ["parent"]
