"""Personal data at rest: holders' keys, envelopes, key encryption keys, blind indexes."""

__all__ = [
    "blind_index",
    "envelope",
    "holder_keys",
    "kek_register",
    "kek_rotation",
    "key_encryption",
    "portraits",
    "randomness",
]
