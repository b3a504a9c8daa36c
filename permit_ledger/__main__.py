"""``python -m permit_ledger`` is ``permit-ledger``."""

from .cli.app import app

if __name__ == "__main__":  # not in the processes that a rebuild starts
    app(prog_name="permit-ledger")
