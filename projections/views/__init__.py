"""The read models: one module a view, and the registry of all."""
