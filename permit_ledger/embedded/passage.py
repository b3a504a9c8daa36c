"""Lets one user pass through a folder that is closed to others, such as root's home."""

from __future__ import annotations

import errno
import os
import stat
import struct
from pathlib import Path

_ACL = "system.posix_acl_access"
_VERSION, _ENTRY = struct.pack("<I", 2), struct.Struct("<HHI")
_OWNER, _USER, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
_ANYBODY = 0xFFFFFFFF
_PASS = 1


def let_pass(folder: Path, user: int) -> None:
    """Grant the user with this id the way through a folder: not to list it, and no one else where
    the file system knows access lists (POSIX ACL); elsewhere others get the same.

    Raises:
        OSError
    """
    found = folder.stat()
    if found.st_mode & stat.S_IXOTH or found.st_uid == user:
        return
    try:
        _grant(folder, user, found.st_mode)
    except (OSError, AttributeError):  # of a system without them
        folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)


def _grant(folder: Path, user: int, mode: int) -> None:
    try:
        stored = os.getxattr(folder, _ACL)
        entries = {(tag, of): rights for tag, rights, of in _ENTRY.iter_unpack(stored[4:])}
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        entries = {
            (_OWNER, _ANYBODY): mode >> 6 & 7,
            (_GROUP, _ANYBODY): mode >> 3 & 7,
            (_OTHERS, _ANYBODY): mode & 7,
        }
    group = entries[_GROUP, _ANYBODY]
    entries[_USER, user] = entries.get((_USER, user), 0) | _PASS
    entries[_MASK, _ANYBODY] = entries.get((_MASK, _ANYBODY), group) | _PASS
    packed = b"".join(_ENTRY.pack(tag, rights, of) for (tag, of), rights in sorted(entries.items()))
    os.setxattr(folder, _ACL, _VERSION + packed)
