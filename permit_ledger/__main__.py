"""Run ``permit-ledger`` as ``python -m permit_ledger``."""

from .cli.app import app

if __name__ == "__main__":  # a rebuild's child processes import this module
    app(prog_name="permit-ledger")
