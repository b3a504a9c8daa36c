"""The settings of what proves a face match: a file that can't be used refuses the start, by its
name."""

import pytest
from joserfc.jwk import ECKey, KeySet
from pydantic import ValidationError

from permit_ledger.bootstrap.face_matches import BadFaceProvider, configured_provider, step_up
from permit_ledger.keys.issuer import NoKeys
from permit_ledger.settings import Settings

SETTING = "PERMIT_LEDGER_FACE_PROVIDER"
GOOD = 'issuer = "https://face.example"\njwks = "keys.json"\n'


@pytest.fixture
def configured(tmp_path):
    """``configured(text)``: the provider of a file with this text, whose keys are beside it."""
    keys = KeySet([ECKey.generate_key("P-256", private=True)]).as_dict(private=False)
    (tmp_path / "keys.json").write_text(str(keys).replace("'", '"'))

    def of(text):
        file = tmp_path / "face.toml"
        file.write_text(text, encoding="utf-8")
        return configured_provider(Settings(face_provider=file))

    return of


def test_the_keys_are_beside_the_file(configured, tmp_path, monkeypatch):
    """Wherever the service is started."""
    monkeypatch.chdir("/")
    provider = configured(GOOD)

    assert ("https://face.example", 1) == (provider.issuer, len(provider.keys().keys))
    assert configured_provider(Settings()) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("issuer = ", "no TOML file"),
        ('issuer = "x"', "jwks: Field required"),
        (f'{GOOD}audience = "x"', "audience: Extra inputs"),
        (GOOD.replace('"https://face.example"', "7"), "issuer: Input should be a valid string"),
    ],
)
def test_a_file_that_says_something_else_is_refused(configured, text, said):
    with pytest.raises(BadFaceProvider, match=rf"^{SETTING}: .*face\.toml.*{said}"):
        configured(text)


def test_missing_files_are_refused(configured, tmp_path):
    with pytest.raises(BadFaceProvider, match="can't be read: No such file"):
        configured_provider(Settings(face_provider=tmp_path / "none.toml"))
    with pytest.raises(NoKeys, match=f"^jwks of {SETTING} can't be used"):
        configured(GOOD.replace("keys", "none"))


def test_the_values_of_a_step_up_are_names_separated_by_spaces():
    """A challenge quotes them, so a quote would end it."""
    given = step_up(Settings(step_up_acr=" urn:a  urn:b ", step_up_amr=""))
    assert (("urn:a", "urn:b"), ()) == (given.acr, given.amr)
    assert {"acr_values": "urn:a urn:b", "max_age": "300"} == given.parameters()
    for bad in ('a"', "a\\", "a\x7f", "é"):
        with pytest.raises(ValidationError, match="without quotes"):
            Settings(step_up_acr=bad)
