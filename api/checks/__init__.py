"""Checks of cards and live codes by verification endpoints."""
