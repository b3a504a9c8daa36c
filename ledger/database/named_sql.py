"""SQL lives in ``.sql`` files, each query under a ``-- name:`` header, and is loaded once."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import LiteralString, cast

_HEADER = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


class Queries:
    """The queries of one file, by attribute."""

    def __init__(self, package: str, file: str) -> None:
        text = files(package).joinpath(file).read_text(encoding="utf-8")
        _, *parts = _HEADER.split(text)
        self._file = f"{package}/{file}"
        self._queries = dict(zip(parts[::2], parts[1::2], strict=True))

    def __getattr__(self, name: str) -> LiteralString:
        try:
            return cast("LiteralString", self._queries[name])
        except KeyError:
            raise AttributeError(f"{self._file} has no query named {name}") from None
