"""The contract with readers of the topics: CloudEvents, topics, schemas."""

__all__ = ["cloudevents", "heartbeats", "kinds", "states", "topics"]
