"""What the API asks of the views."""
