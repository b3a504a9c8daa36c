"""Residence permits: registrars' commands, holders' devices, live codes."""
