"""What a topic's reader relies on: CloudEvents, topics, schemas."""

__all__ = ["cloudevents", "heartbeats", "kinds", "states", "topics"]
