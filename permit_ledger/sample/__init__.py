"""The sample city: people, permits and years made up from a seed."""
