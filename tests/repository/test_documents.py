"""The documents are true: links, paths, tables, rules."""

import re
from pathlib import Path

import pytest

from domain.errors import DomainError
from permit_ledger.cli.reference import with_tables

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link points to a file that exists."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    assert [] == [target for target in targets if not (document.parent / target).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_files_that_are_named_exist(document: Path) -> None:
    """A path in backquotes that begins with one of the folders exists."""
    folders = "domain|ledger|transparency|projections|api|consumers|web|permit_ledger|tests|docs"
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", document.read_text("utf-8"))
    assert [] == [name for name in named if not (ROOT / name).exists()]


def test_schemas_that_asyncapi_refers_to_exist() -> None:
    references = re.findall(r"\$ref: '(\./[^']+)'", _text("asyncapi.yaml"))
    assert references
    assert [] == [name for name in references if not (ROOT / name).exists()]


def test_the_readmes_tables_are_made_from_the_code() -> None:
    """Settings and commands, as ``./dev docs`` writes them."""
    if with_tables(_text("README.md")) != _text("README.md"):
        pytest.fail(
            "README.md differs from the code: run ./dev docs and commit the result", pytrace=False
        )


def test_every_refusal_is_explained() -> None:
    """Every code of a refusal is in docs/rules.md or docs/id-cards.md."""

    def codes(error: type[DomainError]) -> set[str]:
        own = error.__dict__.get("code")
        return ({own} if isinstance(own, str) else set()).union(
            *(codes(child) for child in error.__subclasses__())
        )

    rules = _text("docs/rules.md") + _text("docs/id-cards.md")
    expected = codes(DomainError) - {"INVALID_REQUEST"}
    assert expected
    assert set() == {code for code in expected if code not in rules}


@pytest.mark.parametrize("number", range(1, 27))
def test_every_rule_is_listed_and_has_a_test(number: int) -> None:
    """P1 to P26: each in docs/rules.md, each with a test named for it."""
    tests = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert re.search(rf"\bP{number}\b", _text("docs/rules.md"))
    assert re.search(rf"def test_(?:\w+_)?p{number:02d}_", tests)


def test_the_play_file_has_every_path() -> None:
    """docs/play.http has a request for every path of the API."""
    paths = set()
    for file in (ROOT / "api").rglob("*.py"):
        source = file.read_text("utf-8")
        prefix = next(iter(re.findall(r"APIRouter\(prefix=\"([^\"]+)\"", source)), "")
        paths |= {prefix + path for path in re.findall(r"@\w+\.\w+\(\s*\"(/[^\"]*)\"", source)}
    names = "number|holder_id|name|receipt_number"
    play = re.sub(rf"\{{\{{({names})\}}\}}", r"{\1}", _text("docs/play.http"))
    play = play.replace("{number}", "{permit_number}")
    assert {"/v1/permits", "/v1/audit/holders/{holder_id}/erasures"} < paths
    assert set() == {path for path in paths - {"/"} if f"{{{{host}}}}{path}" not in play}
