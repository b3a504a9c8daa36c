"""What a topic's reader relies on: CloudEvents, topics, schemas."""
