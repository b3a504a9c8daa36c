"""Witnesses: who must cosign a checkpoint, and how they are asked."""
