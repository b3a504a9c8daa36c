"""What people type, in one written form."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import permit_number, printed_number, text
from domain.id_cards import receipt_number

SPACES = "\u0020\u00a0\u1680\u2000\u2003\u2009\u202f\u205f\u3000"
MIDDLE_DOTS = "•‧・･．∙⋅·\u0387﹒"


@pytest.mark.parametrize("space", SPACES)
def test_every_space_is_a_plain_one_in_an_address(space):
    """Kept within the line, gone around it."""
    assert "蠡湖大道 100号" == text.line(f"{space}蠡湖大道{space}100号{space}")


@pytest.mark.parametrize("space", SPACES)
def test_a_name_has_no_spaces(space):
    """Forms pad names of two characters, and lists set the parts of a name apart."""
    assert "张三" == text.name(f"{space}张{space}三{space}")
    assert "阿卜杜拉·买买提" == text.name(f"阿卜杜拉{space}·{space}买买提")


@pytest.mark.parametrize("dot", MIDDLE_DOTS)
def test_every_dot_in_a_name_is_the_middle_dot(dot):
    """Input methods have a dozen of them; one is kept, so that equal names are equal."""
    assert "阿卜杜拉\u00b7买买提" == text.name(f"阿卜杜拉{dot}买买提")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        pytest.param("蠡湖大道１００号Ａ座", "蠡湖大道100号A座", id="wide-digits-and-letters"),
        pytest.param("示例路1号（东门），2室", "示例路1号（东门），2室", id="chinese-punctuation"),
        pytest.param("3－502室", "3-502室", id="wide-hyphen"),
        pytest.param("万科•城市花园", "万科·城市花园", id="middle-dot"),
        pytest.param("\ufa2c驿路", "館驿路", id="compatibility-ideograph"),
        pytest.param("\u2f45村", "方村", id="kangxi-radical-of-a-pdf"),
        pytest.param("cafe\u0301路", "caf\u00e9路", id="composed"),
    ],
)
def test_compatibility_forms_become_what_they_stand_for(typed, kept):
    """Chinese punctuation stays as wide as it is written."""
    assert kept == text.line(typed)


@given(st.text())
@pytest.mark.parametrize("normalise", [text.line, text.name, text.code, text.printed_code])
def test_normalising_twice_changes_nothing(normalise, typed):
    """What is stored can be compared with what comes in again."""
    once = normalise(typed)
    assert once == normalise(once)
    assert once == unicodedata.normalize("NFC", once)


@pytest.mark.parametrize(
    ("character", "described"),
    [
        ("\t", "U+0009 (tab)"),
        ("\n", "U+000A (line feed)"),
        ("\x1b", "U+001B (control character)"),
        ("\x85", "U+0085 (control character)"),
        ("\u00ad", "U+00AD (soft hyphen)"),
        ("\u200b", "U+200B (zero width space)"),
        ("\u200d", "U+200D (zero width joiner)"),
        ("\u2028", "U+2028 (line separator)"),
        ("\u202e", "U+202E (right-to-left override)"),
        ("\u2800", "U+2800 (braille pattern blank)"),
        ("\u3164", "U+3164 (hangul filler)"),
        ("\ufeff", "U+FEFF (zero width no-break space)"),
        ("\ufe0f", "U+FE0F (variation selector-16)"),
        ("\U000e0041", "U+E0041 (tag latin capital letter a)"),
        ("\ue5e5", "U+E5E5 (private-use character)"),
        ("\ud800", "U+D800 (not a character)"),
        ("\uffff", "U+FFFF (not a character)"),
    ],
)
def test_the_first_unprintable_character_is_named(character, described):
    """By code point and name, since it can't be shown."""
    assert f"must not contain {described}" == text.unseen(f"测{character}\t")


@given(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn"]))
def test_every_other_assigned_character_is_printable(character):
    """The ranges refuse nothing that can be seen, but for four blank letters."""
    blank = "\u115f\u1160\u2800\u3164\uffa0\ufffc\U000e0100"
    assert character in blank or text.unseen(character) is None


@pytest.mark.parametrize("character", ["\U0002ebf0", "\U00031350", "\U000323b0", "\U0003fffd"])
def test_a_character_newer_than_the_interpreter_is_printable(character):
    """Planes 2 and 3 are ideographs, whatever this Python's tables know of them."""
    assert text.unseen(character) is None


PERMIT, RECEIPT = "84G7ZWYRD6Z1", "0000000000000001"


@pytest.mark.parametrize(
    "typed",
    [
        "84G7ZWYRD6Z1",
        "84g7zwyrd6z1",
        "84G7 ZWYR D6Z1",
        "84G7-ZWYR-D6Z1",
        "８４Ｇ７ＺＷＹＲＤ６Ｚ１",
        "84G7ZWYRD6ZI",
        "84G7ZWYRD6Zl",
        "\u00a084G7ZWYRD6Z1\u3000",
    ],
)
def test_a_permit_number_is_read_as_it_is_meant(typed):
    """Capitals without I, L, O and U: I and L can only be 1, O only 0."""
    assert PERMIT == permit_number.parse(typed)


def test_a_mistyped_number_is_no_number():
    """The check character does not fit; nor is a receipt's number a permit's."""
    body = "0" * 15
    receipt = body + printed_number.check_character(body)
    assert permit_number.parse("84G7ZWYRD6Z2") is None
    assert permit_number.parse("") is None
    assert receipt == receipt_number.parse(receipt.replace("0", "o"))
    assert permit_number.parse(receipt) is None
