"""SQL by name, from the file beside the module."""

import sys

import pytest

from ledger.database.named_sql import Queries

TEXT = """\
-- What stands before the first header is a comment.

-- name: first
-- Why it is needed.
SELECT 1;

-- name: second_one
SELECT '-- name: not_a_header';
"""


@pytest.fixture
def queries(tmp_path, monkeypatch):
    folder = tmp_path / "queried" / "sql"
    folder.mkdir(parents=True)
    (tmp_path / "queried" / "__init__.py").touch()
    (folder / "some.sql").write_text(TEXT, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "queried", raising=False)
    return Queries("queried", "sql/some.sql")


def test_a_query_is_found_by_its_name(queries):
    """From its header to the next, its comment included."""
    assert queries.first == "-- Why it is needed.\nSELECT 1;\n\n"
    assert queries.second_one == "SELECT '-- name: not_a_header';\n"


def test_a_header_is_at_the_beginning_of_a_line(queries):
    """Inside a statement it is text."""
    with pytest.raises(AttributeError):
        _ = queries.not_a_header


def test_an_unknown_name_is_reported_with_its_file(queries):
    """A slip of the pen shows where to look."""
    with pytest.raises(AttributeError, match=r"queried/sql/some\.sql has no query named third"):
        _ = queries.third


def test_a_missing_file_is_reported_at_once():
    """When the module is loaded, not when it is used."""
    with pytest.raises(FileNotFoundError):
        Queries("ledger", "sql/none.sql")
