"""Personal data at rest: holders' keys, envelopes, disclosures of single fields, key encryption
keys, blind indexes."""

__all__ = [
    "blind_index",
    "disclosures",
    "envelope",
    "holder_keys",
    "kek_register",
    "kek_rotation",
    "key_encryption",
    "portraits",
    "randomness",
]
