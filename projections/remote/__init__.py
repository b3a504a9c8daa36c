"""Remote views: in another database, kept from Kafka."""
