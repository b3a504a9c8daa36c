"""The roles, a module each, and the supervisor that starts and stops them."""
