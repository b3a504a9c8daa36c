"""The ``project`` role: whether an auditor runs beside the projector."""

import threading
from threading import Event

import pytest

from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service
from permit_ledger.roles.project import auditing
from permit_ledger.settings import Settings
from tests.keks import keyring


@pytest.fixture
def threads(database_url, tmp_path):
    """``threads(5)``: the names of those that run at this rate, and of those that are left."""

    def threads(permits_per_s):
        settings = Settings(data_dir=tmp_path, audit_permits_per_s=permits_per_s)
        stop = Event()
        with auditing(settings, as_service(database_url), HolderKeys(keyring()), stop):
            running = [thread.name for thread in threading.enumerate()]
            stop.set()
        return running, [thread.name for thread in threading.enumerate()]

    return threads


def test_an_auditor_runs_until_asked_to_stop(threads):
    """It leaves no thread behind."""
    running, left = threads(5)

    assert "auditor" in running
    assert "auditor" not in left


def test_it_can_be_turned_off(threads):
    """At no permits a second there is none."""
    assert "auditor" not in threads(0)[0]
