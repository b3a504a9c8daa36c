"""Is the log still the one that was signed? Everything is made again from what is stored.

Leaves from rows, tiles from leaves, roots from tiles; and each is compared with what the tree has
kept of it, and with what others have. The program that answers needs no right but SELECT.
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
