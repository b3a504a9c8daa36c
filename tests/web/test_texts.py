"""The catalogues: both languages say the same things, and everything that is asked for."""

import re
from pathlib import Path

from domain.id_cards.materials import Material
from domain.id_cards.stages import Stage
from domain.lifecycles import EVENTS
from domain.verification import Reason
from permit_ledger.policy import load_policy
from web import languages

WEB = Path(__file__).parents[2] / "web"
SCRIPTS = sorted((WEB / "static" / "js").rglob("*.js"))


def _keys(code: str) -> dict[str, str]:
    texts = languages.load()[code].texts
    return {
        f"{section}.{key}": text
        for section, all_of in texts.items()
        for key, text in all_of.items()
    }


def test_both_languages_have_the_same_keys() -> None:
    """And none is empty."""
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


def test_every_text_that_a_script_asks_for_is_there() -> None:
    """Those that are spelled out; a section is enough where the key is worked out."""
    known, asked, sections = _keys("en"), set(), set()
    for script in SCRIPTS:
        source = script.read_text("utf-8")
        asked |= set(re.findall(r'(?<!\w)text\("([\w.-]+)"', source))
        sections |= set(re.findall(r"(?<!\w)text\(`(\w+)\.", source))
    assert asked
    assert set() == asked - set(known)
    assert set() == sections - {key.partition(".")[0] for key in known}


def test_every_reason_scenario_and_kind_of_event_has_a_text() -> None:
    """Whatever the service may answer is told in words."""
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


def test_scripts_never_make_markup_of_strings() -> None:
    """What was received is text; the content security policy says so too."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|localStorage"
    )
    assert [] == [script.name for script in SCRIPTS if forbidden.search(script.read_text("utf-8"))]
