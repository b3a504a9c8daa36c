"""``python -m permit_ledger`` is ``permit-ledger``."""

from .cli import app

app(prog_name="permit-ledger")
