"""The simulated district: its rates, people, offices and days."""
