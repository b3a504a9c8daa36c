"""Running the service: health, quarantine, statistics, the overview's live summary."""
