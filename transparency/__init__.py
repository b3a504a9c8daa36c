"""The transparency log: a Merkle tree over the log, its checkpoints and its proofs.

Anyone who keeps a checkpoint can tell later whether history was only added to, with tools of other
people: the hashing is RFC 6962's, the formats are those of C2SP.
"""
