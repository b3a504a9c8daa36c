"""The columns of a file to import, and a template."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO

EXAMPLE: Mapping[str, str] = {
    "reference": "WX-2024-000123",
    "name": "欧阳示例",
    "sex": "1",
    "ethnicity": "01",
    "birth_date": "1990-01-01",
    "citizen_id_number": "990000199001010017",
    "hukou_address": "安徽省阜阳市颍州区柳树村7号",
    "division": "320211",
    "address": "蠡湖大道100号梧桐苑3幢502室",
    "residence_registered_on": "2023-06-15",
    "ground": "employment",
    "anchor": "2024-03-01",
    "valid_until": "2027-02-28",
    "card_serial": "1",
    "guardian_name": "",
    "guardian_citizen_id_number": "",
}
COLUMNS: tuple[str, ...] = tuple(EXAMPLE)
REPORT_COLUMNS = ("line", "code", "reason")
"""Further columns of the errors file; ignored by an import, so that it can be corrected and
imported."""


class UnusableFile(Exception):
    """The file can't be imported: nothing was."""


def template() -> str:
    """A template: the header, and one row of a made-up person."""
    content = StringIO()
    writer = csv.DictWriter(content, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerow(EXAMPLE)
    return content.getvalue()
