"""Benchmarks: both sides in one run, ratios and medians, a table and a JSON file."""
