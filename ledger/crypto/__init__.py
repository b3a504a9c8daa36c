"""Personal data at rest: holders' keys, envelopes, key encryption keys, blind indexes."""
