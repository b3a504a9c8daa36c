"""HTTP: one router a caller, problems for everything that goes wrong."""
