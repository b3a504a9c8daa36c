"""Verifies that the log is still the one that was signed, by recomputing everything from the rows.

Leaves are recomputed from rows, tiles from leaves and roots from tiles; each is compared with the
stored tree and with checkpoints kept elsewhere. The program needs only the right to SELECT.
"""

__all__ = [
    "claims",
    "copying",
    "findings",
    "folder_check",
    "scratch",
    "tile_folder",
    "verification",
]
