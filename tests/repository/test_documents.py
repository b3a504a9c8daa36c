"""What the documents say is true."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from domain.errors import DomainError
from permit_ledger.cli.app import app
from permit_ledger.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link points to a file that is there."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    assert [] == [target for target in targets if not (document.parent / target).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_files_that_are_named_exist(document: Path) -> None:
    """A path in code quotes that begins with one of the folders is there."""
    folders = "domain|ledger|transparency|projections|api|consumers|web|permit_ledger|tests|docs"
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", document.read_text("utf-8"))
    assert [] == [name for name in named if not (ROOT / name).exists()]


def test_the_readme_lists_every_setting_with_its_default() -> None:
    """The table of settings is the settings."""
    listed = dict(re.findall(r"\| `PERMIT_LEDGER_(\w+)` \| (\S+) \|", _text("README.md")))

    def shown(default: object) -> str:
        if default is None:
            return "–"
        return f"`{str(default).lower() if isinstance(default, bool) else default}`"

    fields = Settings.model_fields.items()
    assert {name.upper(): shown(field.default) for name, field in fields} == listed


def test_the_readme_lists_every_command() -> None:
    """Every subcommand of permit-ledger is in the README."""
    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group
    readme = _text("README.md")
    missing = [name for name in commands if not re.search(rf"`[^`]*\b{name}\b[^`]*`", readme)]
    assert [] == missing


def test_every_refusal_is_explained() -> None:
    """Every code of a refusal stands in docs/rules.md, or in docs/id-cards.md."""

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
    """docs/play.http plays every path of the API."""
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
