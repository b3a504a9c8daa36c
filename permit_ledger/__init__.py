"""The permit ledger put together: settings, wiring, commands, the sample city."""
