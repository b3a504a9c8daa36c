"""What the product logs: literal events, and keywords that the redaction knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from permit_ledger.logging.redaction import FIELDS

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
)
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
OF_RECORDS = {"logger", "place", "errors"}
"""Made by permit_ledger/logging/records.py itself."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in CODE:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield str(file.relative_to(ROOT)), ast.parse(file.read_text("utf-8"))


def _log_calls() -> list[tuple[str, ast.Call]]:
    """Every call of a method of ``_log``, with its place."""
    return [
        (f"{name}:{node.lineno}", node)
        for name, module in _modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "_log"
    ]


def test_there_are_log_calls() -> None:
    """Otherwise the tests below would be content with nothing."""
    assert len(_log_calls()) > 10


def test_every_event_is_a_literal_in_ascii() -> None:
    """The only positional argument: nothing can be put into it."""
    composed = [
        place
        for place, call in _log_calls()
        if not (
            len(call.args) == 1
            and isinstance(event := call.args[0], ast.Constant)
            and isinstance(event.value, str)
            and re.fullmatch(r"[ -~]{1,80}", event.value)
        )
    ]
    assert [] == composed


def test_every_key_is_known() -> None:
    """On the list of permit_ledger/logging/redaction.py with its kind; no mapping is unpacked."""
    allowed = {*FIELDS, "exc_info"} - {"event"}
    unknown = [
        f"{place}: {keyword.arg}"
        for place, call in _log_calls()
        for keyword in call.keywords
        if keyword.arg not in allowed
    ]
    assert [] == unknown


def test_every_key_on_the_list_is_used() -> None:
    """What nobody logs has no kind."""
    used = {keyword.arg for _, call in _log_calls() for keyword in call.keywords}
    assert set() == set(FIELDS) - used - OF_RECORDS - {"event"}


def test_a_logger_is_only_ever_called_log() -> None:
    """Of structlog's, at a module's top, under the name that the tests above look for; its methods
    are those that log, so that nothing is bound to it elsewhere."""
    top = {
        name: [ast.unparse(node) for node in module.body if isinstance(node, ast.Assign)]
        for name, module in _modules()
    }
    everywhere = {name: ast.unparse(module) for name, module in _modules()}
    for name, text in everywhere.items():
        made = [line for line in top[name] if line.startswith("_log = structlog.get_logger(")]
        assert len(made) == text.count("get_logger("), name
        assert not re.search(r"bind_contextvars|bound_contextvars|structlog\.contextvars", text), (
            name
        )
    assert {
        call.func.attr for _, call in _log_calls() if isinstance(call.func, ast.Attribute)
    } <= LEVELS


def test_nothing_is_logged_by_other_means() -> None:
    """Python's own loggers are libraries'; their levels may be set, and no more."""
    others = re.compile(
        r"getLogger\([^)]*\)\.(?!setLevel\b)\w+\(|logging\.(?:debug|info|warning|error|critical"
        r"|exception|log)\(|traceback\.(?:print|format)_|faulthandler|warnings\.warn\("
    )
    found = [
        f"{name}: {match[0]}"
        for name, module in _modules()
        if (match := others.search(ast.unparse(module)))
    ]
    assert [] == found
