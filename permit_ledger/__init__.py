"""The program: settings, wiring, roles, the command line, the sample city."""
