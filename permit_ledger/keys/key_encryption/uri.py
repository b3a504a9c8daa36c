"""The address of a token: a PKCS#11 URI [RFC 7512]."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from permit_ledger.keys.files import UnusableKey

SCHEME = "pkcs11:"
EXAMPLE = (
    "pkcs11:token=permit-ledger;object=permit-ledger-kek"
    "?module-path=/path/to/module.so&pin-source=file:/path/to/pin"
)
_LABEL_BYTES_MAX = 32  # CK_TOKEN_INFO has no room for more
_PATH, _QUERY = {"token", "serial", "object", "type"}, {"module-path", "pin-source"}
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class TokenUri:
    """The attributes used. None is secret: the pin is in a file of its own."""

    token: str
    serial: str | None
    label: str
    module: str
    pin_file: Path

    @classmethod
    def parse(cls, text: str) -> TokenUri:
        """Parse ``pkcs11:token=…;object=…?module-path=…&pin-source=file:…``.

        ``serial`` tells tokens of one label apart, ``type`` may only be ``secret-key``. Unknown
        attributes are refused, since they would restrict the match.

        Raises:
            UnusableKey: not such a URI, or not supported; values are not repeated.
        """
        if not text.startswith(SCHEME):
            raise UnusableKey(f"no PKCS#11 URI: it begins with {SCHEME}")
        path, _, query = text.removeprefix(SCHEME).partition("?")
        if "#" in text:
            raise UnusableKey("a PKCS#11 URI has no fragment: write # as %23")
        if "pin-value" in text:
            raise UnusableKey(
                "pin-value is refused: it would show the pin to all who can list the environment;"
                " put it in a file and name that as pin-source=file:…"
            )
        found = _attributes(path.split(";"), _PATH) | _attributes(query.split("&"), _QUERY)
        for name in ("token", "object", "module-path", "pin-source"):
            if not found.get(name):
                raise UnusableKey(f"the PKCS#11 URI lacks {name}, as in {EXAMPLE}")
        if found.get("type", "secret-key") != "secret-key":
            raise UnusableKey("a key-encryption key is of type=secret-key")
        if len(found["token"].encode()) > _LABEL_BYTES_MAX:
            raise UnusableKey(f"a token's label has at most {_LABEL_BYTES_MAX} bytes")
        return cls(
            token=found["token"],
            serial=found.get("serial"),
            label=found["object"],
            module=found["module-path"],
            pin_file=_pin_file(found["pin-source"]),
        )


def _attributes(parts: Iterable[str], known: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, parts):
        name, equals, value = part.partition("=")
        if not equals:
            raise UnusableKey("the PKCS#11 URI has a part without =")
        if name not in known:
            known_here = ", ".join(sorted(known))
            raise UnusableKey(f"the PKCS#11 URI has no {name!r} here: understood are {known_here}")
        if name in found:
            raise UnusableKey(f"the PKCS#11 URI has {name} twice")
        if _BAD_PERCENT.search(value):
            raise UnusableKey(f"the value of {name} is not percent-encoded")
        try:
            found[name] = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise UnusableKey(f"the value of {name} is no UTF-8") from None
        if "\0" in found[name]:
            raise UnusableKey(f"the value of {name} has a zero byte")
    return found


def _pin_file(source: str) -> Path:
    if source.startswith("|"):
        raise UnusableKey("pin-source names a file; a command is not run")
    scheme, colon, rest = source.partition(":")
    if colon and scheme == "file":
        path = rest.removeprefix("//localhost").removeprefix("//")
    elif colon and "/" not in scheme:
        raise UnusableKey("pin-source names a file, as file:/path/to/pin")
    else:
        path = source
    if not path.startswith("/"):
        raise UnusableKey("pin-source names a file by its whole path, as file:/path/to/pin")
    return Path(path)
