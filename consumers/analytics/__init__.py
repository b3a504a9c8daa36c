"""Statistics: every event once into a DuckDB file, and what people ask of it, as SQL views."""
