"""The transparency log: a Merkle tree over the event log, its checkpoints and its proofs.

With a checkpoint, anyone can verify later that history was only added to, with third-party tools:
the hashing is RFC 6962's, the formats are those of C2SP.
"""
