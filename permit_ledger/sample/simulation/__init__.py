"""The simulated district: its rates, people, offices and days."""

__all__ = ["agenda", "chance", "city", "district", "id_cards", "office", "people", "rates"]
