"""Settings: which values are accepted."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from permit_ledger.settings import Settings

ISSUER = {"PERMIT_LEDGER_ISSUER": "https://issuer.example"}
JWKS = {"PERMIT_LEDGER_JWKS": "https://issuer.example/jwks.json"}
DEVELOPMENT = {"PERMIT_LEDGER_DEVELOPMENT": "true"}


@pytest.fixture
def settings(monkeypatch):
    """``settings({…})``: as from an environment with nothing else of ours in it."""

    def settings(environment):
        for name in os.environ:
            if name.upper().startswith("PERMIT_LEDGER_"):
                monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Settings()

    return settings


def test_without_an_environment_it_is_a_service_of_ones_own(settings):
    """On this machine only, and not in development mode."""
    found = settings({})

    assert ("127.0.0.1", 8000, False) == (found.host, found.port, found.development)
    assert (None, None) == (found.issuer, found.database_url)
    assert Path("data/keys") == found.keys_dir
    assert "http://127.0.0.1:8000" == found.url


def test_the_environment_decides(settings):
    """Under our prefix; unknown ones do not prevent a start."""
    found = settings(
        {
            "PERMIT_LEDGER_PORT": "8001",
            "PERMIT_LEDGER_DATA_DIR": "/srv/ledger",
            "PERMIT_LEDGER_SUPERVISOR_FD": "7",
            "PORT": "9999",
            **ISSUER,
            **JWKS,
        }
    )

    assert (8001, Path("/srv/ledger/keys")) == (found.port, found.keys_dir)
    assert ("https://issuer.example", "https://issuer.example/jwks.json") == (
        found.issuer,
        found.jwks,
    )


def test_development_and_a_real_issuer_exclude_each_other(settings):
    """With a real issuer no development tokens are issued."""
    with pytest.raises(ValidationError, match="exclude each other"):
        settings({**DEVELOPMENT, **ISSUER, **JWKS})
    assert settings(DEVELOPMENT).development


def test_an_issuer_comes_with_its_keys(settings):
    """Otherwise no signature could be verified."""
    with pytest.raises(ValidationError, match="PERMIT_LEDGER_JWKS"):
        settings(ISSUER)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("DATABASE_CONNECTIONS_MAX", "1"),
        ("DATABASE_CONNECTIONS_MAX", "201"),
        ("MIN_POSITION_WAIT_S", "0"),
        ("MIN_POSITION_WAIT_S", "31"),
        ("CHECK_WAIT_S", "0"),
        ("CHECK_WAIT_S", "11"),
        ("CHECK_WAIT_S", "nan"),
        ("READY_LAG_EVENTS_MAX", "-1"),
        ("LOG_LEVEL", "verbose"),
        ("LOG_FORMAT", "xml"),
        ("DEVELOPMENT", "perhaps"),
    ],
)
def test_a_value_out_of_bounds_is_refused(settings, name, value):
    """By the name of its field."""
    with pytest.raises(ValidationError) as refused:
        settings({f"PERMIT_LEDGER_{name}": value})
    assert [(name.lower(),)] == [error["loc"] for error in refused.value.errors()]


def test_every_setting_says_what_it_is_for():
    """The README's table is made from these."""
    assert all(field.description for field in Settings.model_fields.values())
