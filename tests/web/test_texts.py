"""The catalogues: both languages are complete, and contain every text that is used."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from pydantic import BaseModel

from api.checks.schemas import (
    ChallengeBody,
    CheckBatchBody,
    ElectronicCheckBody,
    PhysicalCheckBody,
)
from api.id_cards.schemas import IdCardApplicationBody, IdCardCollectionBody, ReturnBody
from api.permits.schemas import (
    AddressChangeBody,
    CancellationBody,
    IdentityCorrectionBody,
    IssueBody,
    LossReportBody,
    ReplacementBody,
    SearchBody,
    VoidingBody,
)
from domain.id_cards.collection import CollectedBy, Collection
from domain.id_cards.errors import CollectionIncomplete
from domain.id_cards.materials import Material, missing
from domain.id_cards.stages import Stage
from domain.id_cards.submission import COMMITMENT, GUARDIAN, CollectionMethod
from domain.stream_types import EVENTS
from domain.verification import Reason
from permit_ledger.bootstrap.policy import load_policy
from web import languages

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
CODE = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
FIELD = re.compile(r"[a-z_]+(?:\.[a-z_]+)*")
ERRORS = ("domain/errors.py", "domain/id_cards/errors.py", "api/http/problems.py")
FORMS = (
    *(IssueBody, LossReportBody, ReplacementBody, SearchBody, ChallengeBody),
    *(PhysicalCheckBody, ElectronicCheckBody, CheckBatchBody),
    *(AddressChangeBody, IdentityCorrectionBody, CancellationBody, VoidingBody),
    *(IdCardApplicationBody, IdCardCollectionBody, ReturnBody),
)
TICKED = {
    *("old_card_returned", "track", "by", "method", "collection", "id_card_shown"),
    *("commitment_signed", "ever_held_id_card", "temporary_card_requested"),
    *("receipt_shown", "details_checked", "fingerprint_checked", "signed"),
    *("guardian_relation_registered", "proofs_without_photo", "applicant"),
}
"""Ticked or chosen, so always one of the values that there are."""
SCRIPTS = sorted((WEB / "static" / "js").rglob("*.js"))


def _keys(code: str) -> dict[str, str]:
    texts = languages.load()[code].texts
    return {
        f"{section}.{key}": text
        for section, all_of in texts.items()
        for key, text in all_of.items()
    }


def test_both_languages_have_the_same_keys() -> None:
    """And no text is empty."""
    english, chinese = _keys("en"), _keys("zh")
    assert set(english) == set(chinese)
    assert [] == [key for both in (english, chinese) for key, text in both.items() if not text]


def test_both_languages_fill_in_the_same_values() -> None:
    """``{until}`` in one is ``{until}`` in the other."""
    english, chinese = _keys("en"), _keys("zh")
    blanks = re.compile(r"\{(\w+)\}")
    assert [] == [
        key for key in english if {*blanks.findall(english[key])} != {*blanks.findall(chinese[key])}
    ]


def test_every_text_that_a_script_uses_exists() -> None:
    """Keys that are written out; for a computed key, its section."""
    known, asked, sections = _keys("en"), set(), set()
    for script in SCRIPTS:
        source = script.read_text("utf-8")
        asked |= set(re.findall(r'(?<!\w)text\("([\w.-]+)"', source))
        sections |= set(re.findall(r"(?<!\w)text\(`(\w+)\.", source))
    assert asked
    assert set() == asked - set(known)
    assert set() == sections - {key.partition(".")[0] for key in known}


def test_every_reason_scenario_and_kind_of_event_has_a_text() -> None:
    """Every value that the service may return has a text."""
    known, policy = set(_keys("en")), load_policy("wuxi-2026")
    wanted = {f"reasons.{reason}" for reason in Reason}
    wanted |= {f"stages.{stage}" for stage in Stage}
    wanted |= {f"materials.{material}" for material in Material}
    wanted |= {f"scenarios.{name}" for name in policy.scenarios}
    wanted |= {f"fields.{name}" for shown in policy.scenarios.values() for name in shown}
    wanted |= {
        f"kinds.{re.sub(r'.v[0-9]+$', '', topic)}" for topic in (event.TOPIC for event in EVENTS)
    }
    assert set() == wanted - known


def _trees(*folders: str) -> Iterator[ast.AST]:
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            yield ast.parse(file.read_text("utf-8"))


def _arguments(name: str, *folders: str) -> Iterator[list[str]]:
    """The texts that are handed to each call of a function."""
    for tree in _trees(*folders):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(name):
                given = (one for one in node.args if isinstance(one, ast.Constant))
                yield [one.value for one in given if isinstance(one.value, str)]


def _codes() -> set[str]:
    """Every code that the API can answer, as the source has them."""
    found = {
        node.value
        for file in ERRORS
        for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for name in ("HttpProblem", "FieldProblem", "document"):
        found |= {text for given in _arguments(name, "api", "domain") for text in given}
    return {text for text in found if CODE.fullmatch(text) and len(text) > len("GET")}


def _missing() -> set[str]:
    """Everything that an answer can name as missing."""
    found = {GUARDIAN, COMMITMENT}
    for is_child, relation_registered in product((False, True), repeat=2):
        found |= {*missing((), is_child=is_child, relation_registered=relation_registered)}
    for by in CollectedBy:
        for chosen in CollectionMethod:
            try:
                Collection(by, False, False, False, False, None).require_allowed(chosen)
            except CollectionIncomplete as error:
                found |= {*error.missing}
            except Exception:  # noqa: BLE001, S110  not as it was chosen: nothing is missing
                pass
    for given in _arguments("missing.append", "domain"):
        found |= {*given}
    return found


def _typed(body: type[BaseModel]) -> Iterator[str]:
    """The names of the fields that a person fills in."""
    for name, field in body.model_fields.items():
        yield name
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _typed(part)


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_every_refusal_has_a_sentence(language: str) -> None:
    """Codes, missing items, and the outcomes of a check: no identifier is shown to users."""
    known, codes = set(_keys(language)), _codes()

    assert {"NOT_ELIGIBLE", "INTERNAL", "RATE_LIMITED", "WRONG_STAGE"} < codes
    assert set() == {f"errors.{code}" for code in codes} - known
    assert {"ground", "agent", "study_proof|residence_proof"} < _missing()
    assert set() == {f"missing.{name}" for name in _missing()} - known
    assert {"errors.other", "errors.reference", "missing.other", "reasons.other"} <= known


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_every_field_that_is_refused_has_a_sentence(language: str) -> None:
    """By its name, whatever reason the service reports to programs."""
    known = set(_keys(language))
    names = {name for body in FORMS for name in _typed(body)} - TICKED
    names |= {
        text.rpartition(".")[2]
        for given in _arguments("FieldProblem", "domain")
        for text in given
        if FIELD.fullmatch(text)
    }
    imported_only = {"years"}

    assert {"birth_date", "citizen_id_number", "hukou_province", "lost_on"} < names
    assert set() == {f"field_errors.{name}" for name in names - imported_only} - known


def test_scripts_never_make_markup_of_strings() -> None:
    """Received data is inserted as text; the content security policy requires it too."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|localStorage"
    )
    assert [] == [script.name for script in SCRIPTS if forbidden.search(script.read_text("utf-8"))]
