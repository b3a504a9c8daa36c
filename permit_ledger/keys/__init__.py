"""Keys in files and devices: create, read, rotate."""
