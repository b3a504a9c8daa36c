"""Conventions of the repository that no linter checks."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = (
    "domain",
    "ledger",
    "transparency",
    "projections",
    "api",
    "consumers",
    "web",
    "permit_ledger",
    "bench",
)


def _tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    files = [ROOT / name for name in listed if name and name.endswith(suffixes)]
    return [file for file in files if file.is_file()]


PROSE = (
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/"),
    *("asyncapi.yaml", "dev", "tools/"),
    *(f"{folder}/" for folder in CODE),
)
"""Files and folders whose language is checked."""
PROSE_SUFFIXES = (
    *(".py", ".js", ".css", ".sql", ".html", ".toml", ".yaml", ".http", ".md", ".txt"),
    "dev",
)
FIXED = re.compile(r"/sql/(migrations|schema)/")
"""Applied migrations and the schema that they make: their text never changes."""
UNCLEAR = re.compile(r"(?<!DECOY = \")\b(nobody|whoever|somebody|anew)\b", re.IGNORECASE)
"""Write "no one", "the caller", "another person", "again": see the terms in docs/glossary.md.
The value of ``DECOY`` is data."""


def test_prose_is_plain() -> None:
    """The documents and the product use none of the words in ``UNCLEAR``."""
    found = [
        f"{name}:{number}: {match[0]}"
        for file in _tracked(*PROSE_SUFFIXES)
        if (name := file.relative_to(ROOT).as_posix()).startswith(PROSE) and not FIXED.search(name)
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if (match := UNCLEAR.search(line))
    ]
    assert [] == found


@pytest.mark.parametrize(
    "forbidden",
    [
        r"https?://[^\s\"')]*(pypi|pythonhosted|npmjs|registry|repo1?\.maven)",
        r"(?<![\w.~-])/(?:root|home|work|Users)/",
        r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b",
    ],
    ids=["registry address", "path of one machine", "unfinished mark"],
)
def test_nothing_in_the_repository_that_does_not_belong(forbidden: str) -> None:
    """No address of a registry, path of one machine or unfinished mark is tracked."""
    pattern = re.compile(forbidden)
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in _tracked(".py", ".md", ".toml", ".sql", ".lock", ".yml", ".http", "dev", "run")
        if file != Path(__file__) and (match := pattern.search(file.read_text("utf-8")))
    ]
    assert [] == found


def test_every_named_query_is_used() -> None:
    """An unused query is deleted."""
    source = "\n".join(file.read_text("utf-8") for file in _tracked(".py"))
    used = {a or b for a, b in re.findall(r"""\b_?sql\.(\w+)|\.query\("(\w+)\"""", source)}
    unused = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in _tracked(".sql")
        for name in re.findall(r"^-- name: (\w+)$", file.read_text("utf-8"), re.MULTILINE)
        if name not in used
    ]
    assert [] == unused


def test_every_module_says_what_it_is_for() -> None:
    """Every module of the product begins with a docstring."""
    silent = [
        str(file.relative_to(ROOT))
        for folder in CODE
        for file in (ROOT / folder).rglob("*.py")
        if not file.read_text("utf-8").startswith('"""')
    ]
    assert [] == silent


def test_the_product_does_not_sleep() -> None:
    """The product waits for conditions and signals, never for time alone."""
    sleeping = [
        str(file.relative_to(ROOT))
        for folder in CODE
        if folder != "bench"
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"\btime\.sleep\(", file.read_text("utf-8"))
    ]
    assert [] == sleeping
