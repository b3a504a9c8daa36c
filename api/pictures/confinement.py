"""Takes from the decoding process what decoding does not need: files, network, other processes.

A decoder that a crafted picture has taken over can then compute and answer, and nothing else. Not
every system has or allows each step, so each is tried, and decoding goes on without the missing
ones. Only to become another user takes root's rights.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import tempfile
from contextlib import suppress
from typing import Final

MEMORY_BYTES_MAX = 400 * 1024 * 1024
"""Of addresses; the process itself has some 30 MiB, and a picture of four million pixels takes up
to six times its 16 MiB."""
_PIPES = 3
"""Standard input, output and error; no other descriptor can be opened."""
_LIMITS: Final = (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NPROC, 0),
    (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
    (resource.RLIMIT_NOFILE, _PIPES),
)
_NOBODY = 65534
# From Linux's <sched.h>, <linux/prctl.h> and <linux/landlock.h>.
_NEW_USER, _NEW_NETWORK, _NEW_IPC, _NEW_MOUNTS = 0x10000000, 0x40000000, 0x08000000, 0x00020000
_NAMESPACES = _NEW_NETWORK | _NEW_IPC | _NEW_MOUNTS
_SET_NO_NEW_PRIVILEGES = 38
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT, _LANDLOCK_VERSION = 444, 446, 1
_FILES_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FILES, _TCP, _SCOPES = (1 << 16) - 1, 0b11, 0b11
"""Every kind of access to files (version 5 of Landlock), to TCP (4), and signals and abstract
sockets of processes outside (6)."""


def confine() -> None:
    """Give up what is not needed, for ever: call it once, after all modules are loaded."""
    os.closerange(_PIPES, os.sysconf("SC_OPEN_MAX"))
    with suppress(OSError, AttributeError):  # a C library of another system
        library = ctypes.CDLL(None, use_errno=True)
        has_left = os.geteuid() == 0 and library.unshare(_NAMESPACES) == 0
        _leave_files()
        _leave_root()
        if not has_left and library.unshare(_NAMESPACES | _NEW_USER) == 0:
            _leave_files()
        library.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        _forbid_files_and_network(library)
    for what, most in _LIMITS:
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _leave_files() -> None:
    """A root folder that is empty and gone, so that nothing can be made in it either. For others
    than root it takes a namespace of users."""
    with suppress(OSError):
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        os.rmdir(folder)
        os.chroot(".")


def _leave_root() -> None:
    with suppress(OSError):
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _forbid_files_and_network(library: ctypes.CDLL) -> None:
    """By Landlock, as far as this kernel knows it."""
    version = library.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)
    if version < 1:
        return
    rights = [_FILES_OF_VERSION.get(version, _FILES)]
    rights += [_TCP] if version >= 4 else []  # noqa: PLR2004
    rights += [_SCOPES] if version >= 6 else []  # noqa: PLR2004
    attributes = struct.pack(f"={len(rights)}Q", *rights)
    ruleset = library.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    if ruleset >= 0:
        library.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
        os.close(ruleset)
