"""Rows of a file to import, and what comes of them."""

import csv
from datetime import date, timedelta
from io import BytesIO, StringIO

from openpyxl import Workbook

from domain import citizen_id
from domain.permit import Application
from domain.person import Identity, Residence
from permit_ledger.csv_import.command import COLUMNS

REFUSAL_HEADER = ["line", "reference", "code", "reason", *COLUMNS[1:]]


def person(number, **changed):
    """The row of the ``number``-th person, a woman born in 1980 or later."""
    birth_date = date(1980, 1, 1) + timedelta(days=number // 400)
    row = {
        "reference": f"OLD-{number}",
        "name": "欧阳示例",
        "sex": "2",
        "ethnicity": "01",
        "birth_date": birth_date.isoformat(),
        "citizen_id_number": citizen_id.compose("990000", birth_date, number % 400 * 2),
        "hukou_address": "安徽省阜阳市颍州区柳树村7号",
        "division": "320211",
        "address": "蠡湖大道100号3幢502室",
        "residence_registered_on": "2023-06-15",
        "ground": "employment",
        "anchor": "2024-03-01",
        "valid_until": "2027-02-28",
        "card_serial": "2",
        "guardian_name": "",
        "guardian_citizen_id_number": "",
    }
    return {**row, **changed}


def text_of(rows, columns=COLUMNS, line_end="\n"):
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def workbook(rows, *, change=None, columns=COLUMNS):
    book = Workbook()
    sheet = book.active
    sheet.title = "居住证"
    sheet.append(list(columns))
    for row in rows:
        sheet.append([row[column] for column in columns])
    if change:
        change(book)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def read(file):
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def counts(report):
    assert report.rows_read == report.imported + report.already_imported + report.refused
    return (report.rows_read, report.imported, report.already_imported, report.refused)


def application(row):
    """The same person at the counter."""
    identity = Identity(
        name=row["name"],
        sex=row["sex"],
        ethnicity=row["ethnicity"],
        birth_date=date.fromisoformat(row["birth_date"]),
        citizen_id_number=row["citizen_id_number"],
        hukou_address=row["hukou_address"],
    )
    home = Residence(row["division"], row["address"])
    return Application(identity, home, date(2023, 6, 15), row["ground"], date(2024, 3, 1))
