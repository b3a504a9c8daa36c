"""The processes: one module a role, and what starts and stops them."""
