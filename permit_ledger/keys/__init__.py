"""Keys in files and devices: made, read, rotated."""
