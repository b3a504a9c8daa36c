"""A token in software, for tests: SoftHSM with a folder of its own."""

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from permit_ledger.keys.key_encryption.library import library
from permit_ledger.keys.key_encryption.uri import TokenUri

PROGRAM = "softhsm2-util"
PLACES = ("lib/softhsm", "lib/*/softhsm", "lib64/softhsm", "lib64/pkcs11", "lib64")


@dataclass
class SoftToken:
    """One token; stores in it are distinguished by the label of their keys."""

    folder: Path
    module: str
    label: str = "permit ledger; tests"
    pin: str = field(default_factory=lambda: f"pin-{secrets.token_hex(8)}", repr=False)

    def initialise(self) -> None:
        """The module reads SOFTHSM2_CONF at its start."""
        (self.folder / "tokens").mkdir()
        self.pin_file.write_text(f"{self.pin}\n", encoding="utf-8")
        self.configuration.write_text(
            f"directories.tokendir = {self.folder / 'tokens'}\nlog.level = ERROR\n"
        )
        words = ["--init-token", "--free", "--label", self.label]
        words += ["--pin", self.pin, "--so-pin", secrets.token_hex(8)]
        environment = {**os.environ, "SOFTHSM2_CONF": str(self.configuration)}
        subprocess.run([PROGRAM, *words], env=environment, check=True, capture_output=True)

    @property
    def configuration(self) -> Path:
        return self.folder / "softhsm2.conf"

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    def text(self, key_label: str, **changed: str) -> str:
        """Its URI, as a setting."""
        named = {"token": self.label, "module": self.module, "pin": str(self.pin_file), **changed}
        token = named["token"].replace(";", "%3B").replace(" ", "%20")
        return (
            f"pkcs11:token={token};object={key_label}"
            f"?module-path={named['module']}&pin-source=file:{named['pin']}"
        )

    def uri(self, key_label: str, **changed: str) -> TokenUri:
        return TokenUri.parse(self.text(key_label, **changed))

    def log_out(self) -> None:
        """As in a process that has just been started."""
        with library(self.module).held():
            library(self.module).stop()
            library(self.module).start()


def module() -> str:
    """Where SoftHSM's module is; without it a test is skipped, or fails where CI is true."""
    program = shutil.which(PROGRAM)
    prefix = Path(program).resolve().parent.parent if program else Path()
    found = [file for place in PLACES for file in sorted(prefix.glob(f"{place}/libsofthsm2.so"))]
    if program and found:
        return str(found[0])
    reason = "NOT TRIED AGAINST A TOKEN: SoftHSM is not installed (Debian: apt install softhsm2)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
