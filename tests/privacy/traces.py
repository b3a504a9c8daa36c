"""Search files for texts in every encoding that bytes on a disk may have."""

import base64
import json
from pathlib import Path

_OVERLAP_BYTES = 1024
_BLOCK_BYTES = 1 << 24


def forms_of(text: str) -> dict[str, bytes]:
    """By the form's name."""
    utf8 = text.encode()
    forms = {
        "UTF-8": utf8,
        "UTF-16, little end first": text.encode("utf-16-le"),
        "UTF-16, big end first": text.encode("utf-16-be"),
        "GB 18030": text.encode("gb18030"),
        "JSON escapes": json.dumps(text)[1:-1].encode(),
        "hex": utf8.hex().encode(),
        "hex, upper case": utf8.hex().upper().encode(),
        "octal escapes": "".join(f"\\{byte:03o}" for byte in utf8).encode(),
    }
    for before in range(3):  # base64 depends on how many bytes come before, by three
        whole = base64.b64encode(b"\0" * before + utf8)
        forms[f"base64 behind {before}"] = whole[4 * (before > 0) : len(whole) - 4]
    return forms


def traces_in(folder: Path, *texts: str) -> list[str]:
    """Which file holds which text in which form."""
    wanted = [(text, form, found) for text in texts for form, found in forms_of(text).items()]
    return [
        f"{file.relative_to(folder)} holds {text} ({form})"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        for text, form in _found_in(file, wanted)
    ]


def traces_of(content: str | bytes, *texts: str) -> list[str]:
    """The same for a response's text."""
    whole = content.encode() if isinstance(content, str) else content
    return [
        f"{text} ({form})"
        for text in texts
        for form, found in forms_of(text).items()
        if found in whole
    ]


def _found_in(file: Path, wanted: list[tuple[str, str, bytes]]) -> set[tuple[str, str]]:
    found = set()
    with file.open("rb") as content:
        before = b""
        while block := content.read(_BLOCK_BYTES):
            window = before + block
            found |= {(text, form) for text, form, sought in wanted if sought in window}
            before = block[-_OVERLAP_BYTES:]
    return found
