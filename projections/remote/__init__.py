"""Remote views: in another database, kept from Kafka."""

__all__ = ["cards", "source", "views"]
