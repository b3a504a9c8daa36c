"""Static files, under a URL that changes with any of them.

A URL with a digest of the content can be cached forever. Modules import each other by relative
URLs, so they are all of one version.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    media_type: str


class Assets:
    """All files of a package's folder, loaded once."""

    def __init__(self, package: str, folder: str) -> None:
        self._files = dict(_walk(files(package).joinpath(folder), ""))
        digest = hashlib.sha256()
        for name, asset in sorted(self._files.items()):
            digest.update(b"%d %s %d " % (len(name), name.encode(), len(asset.content)))
            digest.update(asset.content)
        self.version = digest.hexdigest()[:16]

    def get(self, version: str, name: str) -> Asset | None:
        """Return a file; ``None`` if there is none, or the version is another."""
        return self._files.get(name) if version == self.version else None

    def address(self, name: str) -> str:
        """Return the URL path of a file.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        else:
            suffix = name[name.rindex(".") :]
            media_type = MEDIA_TYPES.get(suffix) or mimetypes.guess_type(name)[0]
            found.append(
                (name, Asset(entry.read_bytes(), media_type or "application/octet-stream"))
            )
    return found
