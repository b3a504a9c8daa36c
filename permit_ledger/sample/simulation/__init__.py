"""What the simulated district is made of: its rates, its people, its offices, its days."""
