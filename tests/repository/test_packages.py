"""Packages have a declared face, and nothing reaches past it."""

import ast
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("ledger", "transparency", "projections", "api", "consumers", "permit_ledger")
"""``domain`` is flat on purpose: each of its modules is for everyone."""
IN_A_ROOM_ITSELF = {"errors", "settings", "app", "__main__"}
MODULES_MAX = 16


@cache
def _imports() -> grimp.ImportGraph:
    return grimp.build_graph("domain", "web", *ROOMS)


def _packages() -> list[str]:
    """Every package inside a room, dotted."""
    return sorted(
        ".".join(file.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for file in (ROOT / room).rglob("__init__.py")
        if file.parent != ROOT / room
    )


def _face(package: str) -> set[str]:
    """What the package's ``__init__`` names in ``__all__``."""
    source = (ROOT / package.replace(".", "/") / "__init__.py").read_text("utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


@pytest.mark.parametrize("package", _packages())
def test_only_the_face_of_a_package_is_imported_from_outside(package: str) -> None:
    """``__all__`` of its ``__init__`` lists the modules that others may import, and no more."""
    used = {
        child.removeprefix(f"{package}.")
        for child in _imports().find_children(package)
        for importer in _imports().find_modules_that_directly_import(child)
        if not importer.startswith(f"{package}.")
    }
    subpackages = {name for name in used if f"{package}.{name}" in _packages()}
    assert _face(package) == used - subpackages
    assert len(used) <= MODULES_MAX


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_belongs_to_a_package(room: str) -> None:
    """In a room itself lie its errors, its settings and the module that puts it together."""
    if room == "transparency":  # one package by itself, with two more inside
        return
    modules = {file.stem for file in (ROOT / room).glob("*.py")} - {"__init__"}
    assert set() == modules - IN_A_ROOM_ITSELF
