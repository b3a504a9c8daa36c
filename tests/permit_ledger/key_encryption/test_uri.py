"""PKCS#11 URIs: what is understood, and what is refused by name."""

from pathlib import Path

import pytest

from permit_ledger.keys.files import UnusableKey
from permit_ledger.keys.key_encryption.uri import EXAMPLE, TokenUri

GOOD = "pkcs11:token=t;object=o?module-path=/m.so&pin-source=file:/pin"


def test_each_part_is_read():
    """The order within path and query is free."""
    text = (
        "pkcs11:object=kek;serial=01;token=t;type=secret-key?pin-source=file:/p&module-path=/m.so"
    )

    assert TokenUri("t", "01", "kek", "/m.so", Path("/p")) == TokenUri.parse(text)
    assert TokenUri("t", None, "o", "/m.so", Path("/pin")) == TokenUri.parse(GOOD)
    assert "permit-ledger-kek" == TokenUri.parse(EXAMPLE).label


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a%20b", "a b"),
        ("%e5%b1%85%E4%BD%8F%E8%AF%81", "居住证"),
        ("a%3Bb%3Fc%26d%3De%25", "a;b?c&d=e%"),
        ("a+b", "a+b"),
        ("a=b", "a=b"),
    ],
)
def test_values_are_percent_decoded(written, read):
    """A plus is a plus."""
    assert read == TokenUri.parse(GOOD.replace("token=t", f"token={written}")).token


@pytest.mark.parametrize(
    "source", ["file:/a/pin", "file:///a/pin", "file://localhost/a/pin", "/a/pin"]
)
def test_a_pin_is_in_a_file(source):
    """However it is named."""
    assert Path("/a/pin") == TokenUri.parse(GOOD.replace("file:/pin", source)).pin_file


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", "no PKCS#11 URI"),
        ("PKCS11:token=t", "no PKCS#11 URI"),
        ("pkcs11:", "lacks token"),
        (GOOD.replace("token=t;", ""), "lacks token"),
        (GOOD.replace("token=t;", "token=;"), "lacks token"),
        (GOOD.replace(";object=o", ""), "lacks object"),
        (GOOD.replace("module-path=/m.so&", ""), "lacks module-path"),
        (GOOD.replace("&pin-source=file:/pin", ""), "lacks pin-source"),
        (GOOD.replace("token=t", "token=t;token=u"), "token twice"),
        (GOOD.replace("module-path=/m.so", "module-name=m"), "no 'module-name'"),
        (GOOD.replace("object=o", "object=o;slot-id=1"), "no 'slot-id'"),
        (GOOD.replace("object=o", "object=o;module-path=/n.so"), "no 'module-path'"),
        (GOOD.replace("object=o", "object=o;id=%01"), "no 'id'"),
        (GOOD.replace("object=o", "object"), "without ="),
        (GOOD.replace("object=o", "object=o;type=private"), "secret-key"),
        (GOOD.replace("token=t", "token=%4"), "percent-encoded"),
        (GOOD.replace("token=t", "token=%zz"), "percent-encoded"),
        (GOOD.replace("token=t", "token=%ff"), "no UTF-8"),
        (GOOD.replace("token=t", "token=%00"), "zero byte"),
        (GOOD.replace("token=t", f"token={'t' * 33}"), "32 bytes"),
        (GOOD.replace("file:/pin", "|cat /pin"), "not run"),
        (GOOD.replace("file:/pin", "https://host/pin"), "names a file"),
        (GOOD.replace("file:/pin", "file://host/pin"), "whole path"),
        (GOOD.replace("file:/pin", "pin"), "whole path"),
        (GOOD + "#fragment", "fragment"),
    ],
)
def test_a_uri_that_is_not_understood_is_refused(text, reported):
    """Rather than half followed."""
    with pytest.raises(UnusableKey, match=reported):
        TokenUri.parse(text)


@pytest.mark.parametrize("place", ["&pin-value=s3cret", ";pin-value=s3cret", "&pin-value=s3%63ret"])
def test_a_pin_is_refused_and_not_repeated(place):
    """It would stand in every listing of the environment."""
    text = GOOD + place if place[0] == "&" else GOOD.replace("?", f"{place}?")

    with pytest.raises(UnusableKey, match="environment") as refused:
        TokenUri.parse(text)
    assert "s3" not in str(refused.value)
