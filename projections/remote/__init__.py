"""Views in another database, fed from Kafka."""
